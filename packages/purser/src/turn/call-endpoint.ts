import type { Context, ResolvedContext } from '../context/api.ts'
import { CallSignal } from '../core/call-signal.ts'
import { encodeJson, isLargeJson } from '../core/json-pieces.ts'
import { PurserError } from '../errors.ts'
import type { EndpointRequest } from '../openai/endpoint.ts'
import { tokensOfBytes } from '../openai/estimate-tokens.ts'
import { parseChatRequest } from '../openai/parse-request.ts'
import type { Lease } from '../runtime/api.ts'
import { endpointsOf } from '../runtime/endpoints.ts'
import { requestFor } from './answer.ts'
import { TurnReader } from './answered-turn.ts'
import { callWithFallbacks } from './call-with-fallbacks.ts'
import type { TurnDeps, UserModules } from './deps.ts'
import type { EndpointCall, EndpointUpstream, PreparedRequest } from './endpoint-call.ts'
import type { RefusedTurn } from './http-response.ts'
import { chooseLimit, type TurnOptions, validateTurnOptions } from './options.ts'
import { RelayedTurn } from './relayed-turn.ts'
import { selectModel } from './select-model.ts'
import { takeTurn } from './take-turn.ts'
import type { TurnRequest } from './turn-request.ts'
import { TurnRun } from './turn-run.ts'

/** `answered`: the provider has no such endpoint, and a chat completion in its own format is to be translated. */
export type EndpointTurn =
  | { readonly kind: 'refused'; readonly turn: RefusedTurn }
  | { readonly kind: 'relayed'; readonly turn: RelayedTurn }
  | { readonly kind: 'answered'; readonly turn: TurnReader }

/**
 * Runs one request to an endpoint: relayed to a provider that has the endpoint, otherwise translated to a chat request.
 * Either way it is a turn: admitted, counted, settled and ended like any other.
 */
export async function callEndpoint(
  deps: TurnDeps,
  modules: UserModules,
  call: EndpointCall,
  options: TurnOptions = {},
): Promise<EndpointTurn> {
  validateTurnOptions(options)
  const { endpoint, model, body } = call
  const named: TurnOptions = { endpoint, ...options }
  const run = new TurnRun(deps, modules, { model, endpoint, body }, named)
  let isRelayed: boolean
  try {
    await run.selectModel()
    isRelayed = hasEndpoint(deps, call, run.provider)
  } catch (error) {
    return { kind: 'refused', turn: run.fail(error) }
  }
  if (isRelayed || call.toChat === undefined) return relay(run, call)
  const turn = await takeTurn(deps, modules, await call.toChat(), named)
  if (!turn.allowed) return { kind: 'refused', turn }
  if (turn instanceof TurnReader) return { kind: 'answered', turn }
  throw new TypeError('A turn that is allowed is read by a TurnReader.')
}

/** Whether the provider of the turn's model has the endpoint. Throws if it has not, and the call has no other form. */
function hasEndpoint(deps: TurnDeps, call: EndpointCall, provider: string | null): boolean {
  const config = provider === null ? undefined : deps.providers[provider]
  if (config === undefined || endpointsOf(config).includes(call.endpoint)) return true
  if (call.toChat === undefined) throw unsupportedEndpoint(call, provider)
  return false
}

/**
 * Asks the provider of the user's model how many tokens a request has. It is no turn and counts nothing; a blocked user
 * is refused with `user_blocked`.
 *
 * @returns the provider's answer as JSON; undefined if it has no such endpoint
 */
export async function askEndpoint(
  deps: TurnDeps,
  modules: UserModules,
  call: EndpointCall,
  options: TurnOptions = {},
): Promise<string | undefined> {
  validateTurnOptions(options)
  const { session, signal = new CallSignal() } = options
  if ((await modules.ledger.api.bond()).blocked !== null) throw new PurserError('user_blocked', 'This user is blocked.')
  const { override } = await selectModel(modules.runtime, deps.providers, call.model, options)
  await using lease = await modules.runtime.acquire({ session, override, signal })
  const { chat, endpoints } = lease
  if (endpoints === undefined || !endpointsOf(deps.providers[chat.provider]).includes(call.endpoint)) return undefined
  const context = call.hasPrompt ? await modules.context.resolve({ signal }) : undefined
  const { request } = await encodeRequest(call, upstreamOf(deps, modules, lease, context))
  const answer = await endpoints.call(request, {
    signal,
    firstChunkTimeoutMs: chooseLimit(options.firstChunkTimeoutMs, deps.limits.firstChunkTimeoutMs),
    idleTimeoutMs: chooseLimit(options.idleTimeoutMs, deps.limits.idleTimeoutMs),
  })
  const pieces: Buffer[] = []
  for await (const bytes of answer.bytes) pieces.push(bytes)
  return Buffer.concat(pieces).toString()
}

/** What a request is sent with, by the settings of the lease. */
function upstreamOf(
  deps: TurnDeps,
  { user }: UserModules,
  { settings, chat }: Lease,
  context: Context | undefined,
): EndpointUpstream {
  const config = deps.providers[chat.provider]
  const field = typeof config === 'function' ? 'none' : (config?.userField ?? 'safety_identifier')
  return {
    model: settings.model,
    parameters: settings.parameters,
    contextText: context?.text ?? '',
    pseudonym: { field, id: deps.pseudonym(user) },
  }
}

async function relay(run: TurnRun<TurnRequest>, call: EndpointCall): Promise<EndpointTurn> {
  try {
    const admission = await run.admit()
    if (!admission.allowed) return { kind: 'refused', turn: run.refuse(admission) }
    // Answers of these endpoints are not stored: a repeat calls the provider again, and is a turn again.
    if (run.replay.isRepeat) await run.replay.onMissing()
    const [lease, context] = await Promise.all([
      run.acquireRuntime(),
      call.hasPrompt ? run.resolveContext() : undefined,
    ])
    run.signal.throwIfAborted()
    const relayed = { run, call, context }
    const { isSpent } = call
    return await callWithFallbacks(run, lease, { call: (candidate) => callOn(candidate, relayed), isSpent })
  } catch (error) {
    return { kind: 'refused', turn: run.fail(error) }
  }
}

interface RelayedCall {
  readonly run: TurnRun<TurnRequest>
  readonly call: EndpointCall
  readonly context: ResolvedContext | undefined
}

/**
 * Calls the model of a lease: at the endpoint if its provider has that, else with the request as chat completions. A limit,
 * a change of the settings or a fallback may have led to another kind of provider.
 */
async function callOn(lease: Lease, relayed: RelayedCall): Promise<EndpointTurn> {
  const { run, call, context } = relayed
  const { settings, chat, endpoints } = lease
  if (endpoints === undefined || !endpointsOf(run.deps.providers[chat.provider]).includes(call.endpoint))
    return translateOn(lease, relayed)
  const { request, inputTokens } = await encodeRequest(call, upstreamOf(run.deps, run.modules, lease, context))
  const answer = await run.callUpstream((upstreamCall) => endpoints.call(request, upstreamCall), run.signal)
  return { kind: 'relayed', turn: new RelayedTurn(run, { call, settings, context, answer, inputTokens }) }
}

async function translateOn(lease: Lease, { run, call, context }: RelayedCall): Promise<EndpointTurn> {
  const { settings, chat } = lease
  if (call.toChat === undefined || context === undefined) throw unsupportedEndpoint(call, chat.provider)
  const request = parseChatRequest(await call.toChat())
  const answer = await run.callModel(chat, requestFor(run, { request, lease, context }), run.signal)
  const turn = { request, settings, context, answer: { source: 'off', answer, isReplay: false } } as const
  return { kind: 'answered', turn: new TurnReader(run, turn) }
}

interface EncodedRequest {
  readonly request: EndpointRequest
  /** An estimate; 0 for a stream. */
  readonly inputTokens: number
}

async function encodeRequest(call: EndpointCall, upstream: EndpointUpstream): Promise<EncodedRequest> {
  const { headers, body } = call.prepare(upstream)
  const { endpoint } = call
  if (isAsyncIterable(body)) return { request: { endpoint, headers, body }, inputTokens: 0 }
  if (!isLargeJson(body)) {
    // One text is one write to the socket.
    const text = JSON.stringify(body)
    return { request: { endpoint, headers, body: text }, inputTokens: tokensOfBytes(Buffer.byteLength(text)) }
  }
  const pieces = await encodeJson(body)
  const bytes = pieces.reduce((sum, piece) => sum + piece.length, 0)
  return { request: { endpoint, headers, body: pieces }, inputTokens: tokensOfBytes(bytes) }
}

function isAsyncIterable(body: PreparedRequest['body']): body is AsyncIterable<Uint8Array> {
  return Symbol.asyncIterator in body
}

function unsupportedEndpoint({ endpoint }: EndpointCall, provider: string | null): PurserError {
  return new PurserError('unsupported_endpoint', `The provider '${provider}' has no endpoint '/v1/${endpoint}'.`, {
    hint: 'Name a model of another provider; GET /v1/models lists them.',
    details: { param: 'model' },
  })
}
