import type { StoreFinding } from 'purser/internal'
import type { Config } from '../config/load.ts'

/** The result of one check. */
export type Finding = Omit<StoreFinding, 'hint'> & { readonly hint?: string | undefined }

const TIMEOUT_MS = 3_000
/** Addresses that are checked; further ones are not. */
const MAX_ADDRESSES = 100

/** Whether the hosts of providers and context sources respond, with any status. */
export async function checkAddresses({ providers = {}, context }: Config): Promise<Finding[]> {
  const sources = Object.entries((context?.sources ?? {}) as Record<string, { readonly url?: unknown } | null>)
  const addresses = [
    ...Object.entries(providers).map(([name, { baseURL }]) => [`provider ${name}`, baseURL] as const),
    ...sources.map(([name, source]) => [`source ${name}`, source?.url] as const),
  ]
  const urls = addresses.flatMap(([check, url]) =>
    typeof url === 'string' && URL.canParse(url) ? [[check, url] as const] : [],
  )
  return Promise.all(urls.slice(0, MAX_ADDRESSES).map(([check, url]) => checkAddress(check, url)))
}

async function checkAddress(check: string, url: string): Promise<Finding> {
  const { host, origin } = new URL(url)
  // The path of a source has the id of a user in it.
  const address = url.includes('{') ? origin : url
  try {
    const response = await fetch(address, { method: 'HEAD', signal: AbortSignal.timeout(TIMEOUT_MS) })
    return { check, ok: true, detail: `${host} responds (status ${response.status})` }
  } catch {
    const hint = `Check that it is running and reachable from this machine: curl -I ${origin}`
    return { check, ok: false, detail: `${host} does not respond`, hint }
  }
}
