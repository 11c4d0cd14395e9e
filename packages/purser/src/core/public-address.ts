import { lookup as systemLookup } from 'node:dns'
import { BlockList, isIP, type LookupFunction } from 'node:net'
import { PurserError } from '../errors.ts'

/*
 * Protection against server-side request forgery: a URL that a user has set must not reach the private network of this
 * server, its own loopback interface or a cloud metadata service.
 */

/** Special-purpose IPv4 networks (IANA registry, RFC 6890), multicast and reserved addresses. */
const PRIVATE_IPV4: readonly (readonly [network: string, prefix: number])[] = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
]

/**
 * Global unicast is the only public part of IPv6. Tunnels and documentation inside it are excluded: forms that embed an
 * IPv4 address (mapped, NAT64, 6to4, Teredo) are rejected as a whole.
 */
const PUBLIC_IPV6: readonly [network: string, prefix: number] = ['2000::', 3]
const PRIVATE_IPV6: readonly (readonly [network: string, prefix: number])[] = [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
]

const privateNetworks = new BlockList()
for (const [network, prefix] of PRIVATE_IPV4) privateNetworks.addSubnet(network, prefix, 'ipv4')
for (const [network, prefix] of PRIVATE_IPV6) privateNetworks.addSubnet(network, prefix, 'ipv6')
const publicIPv6 = new BlockList()
publicIPv6.addSubnet(...PUBLIC_IPV6, 'ipv6')

/** Whether the text is an IP address on the public internet. */
export function isPublicAddress(address: string): boolean {
  const family = isIP(address)
  if (family === 4) return !privateNetworks.check(address, 'ipv4')
  return family === 6 && publicIPv6.check(address, 'ipv6') && !privateNetworks.check(address, 'ipv6')
}

/** Throws `host_not_allowed` if the host is a private IP address. Host names are checked when they are resolved. */
export function requirePublicHost(url: URL): void {
  const host = url.hostname.replace(/^\[|\]$/g, '')
  if (isIP(host) !== 0 && !isPublicAddress(host)) throw hostNotAllowed(host)
}

/**
 * A DNS lookup for hosts that users have set. It checks the addresses that the connection is then made to, so DNS
 * rebinding has no effect. One private address among the resolved ones is enough to reject them all.
 */
export function createPublicLookup(resolve: LookupFunction = systemLookup as LookupFunction): LookupFunction {
  return (hostname, options, callback) => {
    resolve(hostname, { ...options, all: true }, (error, resolved) => {
      if (error) return callback(error, [])
      const addresses = Array.isArray(resolved) ? resolved : []
      if (addresses.length === 0 || !addresses.every(({ address }) => isPublicAddress(address))) {
        return callback(hostNotAllowed(hostname), [])
      }
      if (options.all) return callback(null, addresses)
      const [first] = addresses
      callback(null, first?.address ?? '', first?.family)
    })
  }
}

function hostNotAllowed(host: string): PurserError {
  return new PurserError('host_not_allowed', `The host '${host}' is not allowed.`, {
    hint: 'A base URL set by a user must be on the public internet. The operator can allow hosts in the provider options.',
  })
}
