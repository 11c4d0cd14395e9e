const SECRET_NAME = /key(id)?$|secret|token|password|credential|authorization/i
/** Every value below these keys is a secret. */
const SECRET_PARENTS = ['headers', 'env', 'secretKey']
const MASK = '••••'

/**
 * A copy of a configuration that is safe to print: secrets, headers, passwords in URLs and values from the environment
 * are masked.
 */
export function maskConfig(value: unknown, environmentPaths: readonly string[], path: readonly string[] = []): unknown {
  if (Array.isArray(value)) {
    return value.map((item, index) => maskConfig(item, environmentPaths, [...path, String(index)]))
  }
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(
      Object.entries(value).map(([name, inner]) => [name, maskConfig(inner, environmentPaths, [...path, name])]),
    )
  }
  if (typeof value !== 'string' || value === '') return value
  const isSecret =
    SECRET_NAME.test(path.at(-1) ?? '') ||
    path.slice(0, -1).some((key) => SECRET_PARENTS.includes(key)) ||
    environmentPaths.includes(path.join('.'))
  if (isSecret) return MASK
  return value
    .replace(/(\/\/[^/:@\s]*:)[^/@\s]*@/, `$1${MASK}@`)
    .replace(/([?&][a-z_]*password=)[^&#\s]*/gi, `$1${MASK}`)
}
