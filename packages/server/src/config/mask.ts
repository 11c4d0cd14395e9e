const SECRET_NAME = /key(id)?$|secret|token|password|credential|authorization/i
const SECRET_HOLDERS = ['headers', 'env']
const MASK = '••••'

/** A copy of a configuration that is fit to be shown: secrets, headers and whatever came from the environment are masked. */
export function masked(value: unknown, filled: readonly string[], path: readonly string[] = []): unknown {
  if (Array.isArray(value)) return value.map((item, index) => masked(item, filled, [...path, String(index)]))
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(
      Object.entries(value).map(([name, inner]) => [name, masked(inner, filled, [...path, name])]),
    )
  }
  const name = path.at(-1) ?? ''
  const secret =
    SECRET_NAME.test(name) ||
    path.some((step, index) => index < path.length - 1 && (SECRET_HOLDERS.includes(step) || step === 'secretKey')) ||
    filled.includes(path.join('.'))
  if (typeof value !== 'string' || value === '') return value
  return secret ? MASK : value.replace(/(\/\/[^/:@\s]*:)[^/@\s]*@/, `$1${MASK}@`)
}
