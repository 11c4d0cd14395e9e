import { createRequire } from 'node:module'

/** The version of this package. */
export const VERSION: string = (
  createRequire(import.meta.url)('@purser/server/package.json') as { readonly version: string }
).version
