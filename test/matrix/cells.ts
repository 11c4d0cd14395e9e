/** The names of the matrix, and which of its cells a short run takes. */

export const HOSTS = [
  'Fastify',
  'Express',
  'Hono',
  '`node:http`',
  'route of Next.js',
  '`createServer`',
  '`purser serve`',
] as const
export type HostName = (typeof HOSTS)[number]

export const CLIENTS = [
  '`fetch`',
  'OpenAI SDK, chat',
  'OpenAI SDK, responses',
  'Anthropic SDK',
  'AI SDK',
  'LangChain',
  'OpenAI Agents',
] as const
export type ClientName = (typeof CLIENTS)[number]

export const STORES = ['memory', 'SQLite', 'PostgreSQL', 'Redis'] as const
export type StoreName = (typeof STORES)[number]

/**
 * Whether a short run has this cell. Every host with every client, every host with every store and every client with every
 * store: 49 of 196 cells.
 */
export function isInShortRun(host: HostName, client: ClientName, store: StoreName): boolean {
  return (HOSTS.indexOf(host) + CLIENTS.indexOf(client)) % STORES.length === STORES.indexOf(store)
}
