export { type PurserMiddlewareOptions, purserMiddleware } from './purser-middleware.ts'
export { purserModel } from './purser-model.ts'
export { type PurserTool, type PurserToolsOptions, purserTools } from './purser-tools.ts'
export type { AiSdkOptions, AiSdkUser } from './user.ts'
