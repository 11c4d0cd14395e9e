import { PurserError } from '../errors.ts'
import { systemEnvironment } from './effects.ts'

export interface Expansion {
  /** Where the variables are. Default: the process's environment. */
  readonly environment?: Readonly<Record<string, string | undefined>> | undefined
  /** Told every place that was filled, so that it can be masked when the value is shown. */
  readonly filled?: ((path: readonly string[]) => void) | undefined
}

/**
 * Fills `${NAME}` in every string of a configuration from the environment; `$${` stays a literal `${`. Only plain
 * objects and lists are looked into. Throws `option_invalid` that names every place whose variable is not set.
 */
export function expandEnv<Value>(value: Value, { environment = systemEnvironment, filled }: Expansion = {}): Value {
  const missing: { readonly path: string; readonly message: string }[] = []
  const expanded = mapTexts(value, [], (text, path) =>
    text.replace(/\$?\$\{([^{}]*)\}/g, (whole, name: string) => {
      if (whole.startsWith('$$')) return whole.slice(1)
      const found = environment[name]
      const where = path.join('.')
      if (found === undefined) missing.push({ path: where, message: `${where} needs $${name}` })
      filled?.(path)
      return found ?? ''
    }),
  )
  if (missing.length === 0) return expanded as Value
  throw new PurserError(
    'option_invalid',
    `The configuration names variables that are not set: ${missing.map(({ message }) => message).join('; ')}.`,
    {
      hint: 'Set them in the environment that starts Purser, or write $${NAME} for the text itself.',
      details: { issues: missing },
    },
  )
}

/** The value whose expansion is `value`: for what was expanded before and must not be again. */
export function escapeEnv<Value>(value: Value): Value {
  return mapTexts(value, [], (text) => text.replace(/\$\{[^{}]*\}/g, '$$$&')) as Value
}

/** Deeper than any configuration; what contains itself is told of here. */
const MAX_DEPTH = 64

function mapTexts(
  value: unknown,
  path: readonly string[],
  map: (text: string, path: readonly string[]) => string,
): unknown {
  if (typeof value === 'string') return map(value, path)
  if (path.length > MAX_DEPTH) throw tooDeep(path)
  if (Array.isArray(value)) return value.map((item, index) => mapTexts(item, [...path, String(index)], map))
  if (typeof value !== 'object' || value === null || Object.getPrototypeOf(value) !== Object.prototype) return value
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, mapTexts(inner, [...path, name], map)]))
}

function tooDeep(path: readonly string[]): PurserError {
  const shown = path.slice(0, 3).join('.').slice(0, 200)
  return new PurserError('option_invalid', `The option '${shown}' is nested more than ${MAX_DEPTH} deep.`, {
    hint: 'Give plain JSON values; an object must not contain itself.',
    details: { param: shown },
  })
}
