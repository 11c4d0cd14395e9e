export type { Identity, Role } from './auth/roles.ts'
export type { ConfigFile, ServerOptions } from './config/schema.ts'
export type { Authorize, Authorized } from './house.ts'
export { type CreateServerOptions, createServer, type PurserServer } from './server.ts'
