/**
 * `purser/ai-sdk`: Purser for applications that call models with the AI SDK (`ai` 7). Each of the three functions takes
 * a user handle of `purser.user(id)`.
 *
 * - `purserModel(user)`: a model on the user's settings, with admission, context, cached answers and token counts.
 * - `purserMiddleware(user)`: admission, context and token counts around a model of the application.
 * - `purserTools(user)`: the tools of the user's MCP servers.
 *
 * @module
 */
export type { AiSdkOptions, AiSdkUser } from './ai-sdk-user.ts'
export { type PurserMiddlewareOptions, purserMiddleware } from './purser-middleware.ts'
export { purserModel } from './purser-model.ts'
export { type PurserTool, type PurserToolsOptions, purserTools } from './purser-tools.ts'
