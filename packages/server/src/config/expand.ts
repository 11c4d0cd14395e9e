import { PurserError } from 'purser'

/**
 * Fills `${NAME}` in every string of a configuration from the environment; `$${` stays a literal `${`.
 * A missing variable is an error that names the place, and every place that was filled is reported to `filled`, so
 * that it can be masked when the configuration is printed.
 */
export function expand(
  value: unknown,
  environment: Readonly<Record<string, string | undefined>>,
  filled: (path: readonly string[]) => void,
): unknown {
  const missing: string[] = []
  const walk = (member: unknown, path: readonly string[]): unknown => {
    if (typeof member === 'string') {
      return member.replace(/\$?\$\{([^{}]*)\}/g, (whole, name: string) => {
        if (whole.startsWith('$$')) return whole.slice(1)
        const found = environment[name]
        if (found === undefined) missing.push(`${path.join('.')} needs $${name}`)
        filled(path)
        return found ?? ''
      })
    }
    if (Array.isArray(member)) return member.map((item, index) => walk(item, [...path, String(index)]))
    if (typeof member !== 'object' || member === null) return member
    return Object.fromEntries(Object.entries(member).map(([name, inner]) => [name, walk(inner, [...path, name])]))
  }
  const expanded = walk(value, [])
  if (missing.length === 0) return expanded
  throw new PurserError(
    'option_invalid',
    `The configuration names variables that are not set: ${missing.join('; ')}.`,
    {
      hint: 'Set them in the environment that starts Purser, or write $${NAME} for the text itself.',
      details: { issues: missing.map((message) => ({ path: message.split(' ')[0], message })) },
    },
  )
}
