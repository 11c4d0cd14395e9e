/** The URLs that name a store. */
export const STORE_URL: RegExp = /^(memory:|sqlite:.+|(postgres|postgresql|redis|rediss):\/\/.+)$/

/** The same for messages. */
export const STORE_URL_FORMS = "'memory:', 'sqlite:PATH', 'postgres://…' or 'redis://…'"

const SQLITE = 'sqlite:'

/** The path of a `sqlite:` URL; undefined for others. */
export function sqlitePath(url: string): string | undefined {
  return url.startsWith(SQLITE) ? url.slice(SQLITE.length) : undefined
}
