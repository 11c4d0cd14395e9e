import { PurserError } from '../errors.ts'
import { systemEnvironment } from './effects.ts'

export interface ExpandEnvOptions {
  /** The variables. Default: the environment of the process. */
  readonly environment?: Readonly<Record<string, string | undefined>> | undefined
  /** Called with the path of every string that contained a variable, so that its value can be masked in output. */
  readonly onExpand?: ((path: readonly string[]) => void) | undefined
}

/**
 * Replaces `${NAME}` in every string of a configuration by the environment variable; `$${` becomes a literal `${`. Only
 * plain objects and arrays are searched; replaced text is not expanded again.
 *
 * @returns an expanded copy
 * @throws {PurserError} `option_invalid` with `details.issues`: all paths whose variable is not set
 */
export function expandEnv<Value>(value: Value, options: ExpandEnvOptions = {}): Value {
  const { environment = systemEnvironment, onExpand } = options
  const missing: { readonly path: string; readonly message: string }[] = []
  const expanded = mapStrings(value, [], (text, path) =>
    text.replace(/\$?\$\{([^{}]*)\}/g, (match, name: string) => {
      if (match.startsWith('$$')) return match.slice(1)
      const variable = environment[name]
      const dottedPath = path.join('.')
      if (variable === undefined) missing.push({ path: dottedPath, message: `${dottedPath} needs $${name}` })
      onExpand?.(path)
      return variable ?? ''
    }),
  )
  if (missing.length === 0) return expanded as Value
  throw new PurserError(
    'option_invalid',
    `Missing environment variables: ${missing.map(({ message }) => message).join('; ')}.`,
    {
      hint: 'Set them in the environment of the process, or write $${NAME} for the literal text.',
      details: { issues: missing },
    },
  )
}

/**
 * Escapes a value so that `expandEnv` gives it back unchanged: for values that are already expanded.
 *
 * @returns an escaped copy
 */
export function escapeEnv<Value>(value: Value): Value {
  return mapStrings(value, [], (text) => text.replace(/\$\{[^{}]*\}/g, '$$$&')) as Value
}

/** Deeper than any configuration; also ends the search of an object that contains itself. */
const MAX_DEPTH = 64

function mapStrings(
  value: unknown,
  path: readonly string[],
  map: (text: string, path: readonly string[]) => string,
): unknown {
  if (typeof value === 'string') return map(value, path)
  if (path.length > MAX_DEPTH) throw tooDeep(path)
  if (Array.isArray(value)) return value.map((item, index) => mapStrings(item, [...path, String(index)], map))
  if (typeof value !== 'object' || value === null || Object.getPrototypeOf(value) !== Object.prototype) return value
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, mapStrings(item, [...path, name], map)]))
}

function tooDeep(path: readonly string[]): PurserError {
  const shown = path.slice(0, 3).join('.').slice(0, 200)
  return new PurserError('option_invalid', `The option '${shown}' is nested more than ${MAX_DEPTH} levels deep.`, {
    hint: 'Pass plain JSON values; an object must not contain itself.',
    details: { param: shown },
  })
}
