import type * as NodeHttp from 'node:http'

/**
 * `node:http`, not imported: an import reads all of its exports, of which `WebSocket` and others load another copy of
 * undici, about 3 MB.
 */
export const http: typeof NodeHttp = process.getBuiltinModule('node:http')
