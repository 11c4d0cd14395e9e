import { isIP } from 'node:net'

/** All peers, none, or addresses. A number of hops is not accepted: it cannot tell a proxy from a client. */
export type TrustProxy = boolean | string | readonly string[]

/** Ranges that have names. */
const RANGES: readonly string[] = ['loopback', 'linklocal', 'uniquelocal']

export function isTrustProxy(value: unknown): boolean {
  if (typeof value === 'boolean') return true
  if (Array.isArray(value)) return value.every((item) => typeof item === 'string' && isRange(item))
  if (typeof value !== 'string') return false
  return /^(|true|false)$/.test(value) || splitList(value).every(isRange)
}

/** As Fastify takes it. A flag and a variable are text, so true may be written as text. */
export function parseTrustProxy(value: TrustProxy): boolean | string[] {
  if (typeof value === 'boolean') return value
  if (typeof value !== 'string') return [...value]
  if (value === '' || value === 'false') return false
  return value === 'true' || splitList(value)
}

function splitList(value: string): string[] {
  return value.split(',').map((item) => item.trim())
}

/** An address, a CIDR range or the name of one. */
function isRange(text: string): boolean {
  if (RANGES.includes(text)) return true
  const [address = '', bits, ...rest] = text.split('/')
  const maxBits = [0, 0, 0, 0, 32, 0, 128][isIP(address)] ?? 0
  if (isIP(address) === 0 || rest.length > 0) return false
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= maxBits)
}
