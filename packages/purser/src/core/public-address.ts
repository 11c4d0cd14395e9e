import { lookup as systemLookup } from 'node:dns'
import { BlockList, isIP, type LookupFunction } from 'node:net'
import { PurserError } from '../errors.ts'

/**
 * Addresses that are not on the public internet: a URL that came from a user must not reach what stands beside this
 * server. The IPv6 forms that carry an IPv4 address inside (mapped, NAT64, 6to4, Teredo) are refused as a whole.
 */
const INWARD: readonly (readonly [network: string, prefix: number, family: 'ipv4' | 'ipv6'])[] = [
  ['0.0.0.0', 8, 'ipv4'],
  ['10.0.0.0', 8, 'ipv4'],
  ['100.64.0.0', 10, 'ipv4'],
  ['127.0.0.0', 8, 'ipv4'],
  ['169.254.0.0', 16, 'ipv4'],
  ['172.16.0.0', 12, 'ipv4'],
  ['192.0.0.0', 24, 'ipv4'],
  ['192.0.2.0', 24, 'ipv4'],
  ['192.88.99.0', 24, 'ipv4'],
  ['192.168.0.0', 16, 'ipv4'],
  ['198.18.0.0', 15, 'ipv4'],
  ['198.51.100.0', 24, 'ipv4'],
  ['203.0.113.0', 24, 'ipv4'],
  ['224.0.0.0', 4, 'ipv4'],
  ['240.0.0.0', 4, 'ipv4'],
]

/** Of IPv6 only global unicast is outward, and of that not what tunnels or documents. */
const OUTWARD_IPV6 = ['2000::', 3] as const
const INWARD_IPV6: readonly (readonly [network: string, prefix: number])[] = [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
]

const inward = new BlockList()
for (const [network, prefix, family] of INWARD) inward.addSubnet(network, prefix, family)
for (const [network, prefix] of INWARD_IPV6) inward.addSubnet(network, prefix, 'ipv6')
const outward = new BlockList()
outward.addSubnet(...OUTWARD_IPV6, 'ipv6')

/** Whether an IP address is one of the public internet. */
export function isPublicAddress(address: string): boolean {
  const family = isIP(address)
  if (family === 4) return !inward.check(address, 'ipv4')
  return family === 6 && outward.check(address, 'ipv6') && !inward.check(address, 'ipv6')
}

/** Refuses a URL whose host is an address inside; names are judged when they are resolved. */
export function requirePublicHost(url: URL): void {
  const host = url.hostname.replace(/^\[|\]$/g, '')
  if (isIP(host) !== 0 && !isPublicAddress(host)) throw notAllowed(host)
}

/**
 * A resolver for connections to hosts that a user named. It judges the addresses that the connection is then made to,
 * so a name that answers differently the second time gains nothing. One address inside spoils the whole answer.
 */
export function createPublicLookup(resolve: LookupFunction = systemLookup as LookupFunction): LookupFunction {
  return (hostname, options, callback) => {
    resolve(hostname, { ...options, all: true }, (error, found) => {
      if (error) return callback(error, [])
      const addresses = Array.isArray(found) ? found : []
      if (addresses.length === 0 || !addresses.every(({ address }) => isPublicAddress(address))) {
        return callback(notAllowed(hostname), [])
      }
      if (options.all) return callback(null, addresses)
      const [first] = addresses
      callback(null, first?.address ?? '', first?.family)
    })
  }
}

function notAllowed(host: string): PurserError {
  return new PurserError('host_not_allowed', `The host '${host}' may not be called.`, {
    hint: 'A base URL that a user sets must be on the public internet. The operator may name others in the provider.',
  })
}
