import assert from 'node:assert/strict'
import { after, before } from 'node:test'
import { type ErrorCode, PurserError } from '../../src/errors.ts'
import type { ChatCompletion, ChatRequest } from '../../src/openai/chat.ts'
import type { ChatAnswer, ChatCall, ChatModel } from '../../src/openai/chat-model.ts'
import { mergeChunks } from '../../src/openai/merge-chunks.ts'
import type { ProviderConfig } from '../../src/options/provider-config.ts'
import { DEFAULTS, type ProviderOption } from '../../src/options.ts'
import { openPools } from '../../src/providers/http/pools.ts'
import { createOpenAiHttpModel } from '../../src/providers/openai-http.ts'
import { openProviderRegistry } from '../../src/providers/registry.ts'
import type { LiveModel, ModelRequest } from '../../src/runtime/ports.ts'
import { type HandClock, handClock } from '../../src/testing/hand-clock.ts'
import { openUpstream, type Upstream, type UpstreamHandler, type UpstreamRequest } from './provider-upstream.ts'
import { WIRE_FORMATS } from './provider-wire-formats.ts'

/** Provider kinds that call an upstream. */
type ServedKind = keyof typeof WIRE_FORMATS
export const KINDS: readonly ServedKind[] = Object.keys(WIRE_FORMATS) as ServedKind[]

interface HttpModelOptions {
  readonly path?: string
  readonly apiKey?: string
  readonly maxResponseBytes?: number
}

/** A fake upstream, and models that call it on a fake clock. */
export interface ProviderHarness extends AsyncDisposable {
  readonly upstream: Upstream
  readonly clock: HandClock
  /** A valid configuration of the kind at the upstream, except for a key. */
  configure(kind: ProviderConfig['kind'], fields?: Partial<ProviderConfig>): ProviderConfig
  build(config: ProviderOption, fields?: Partial<ModelRequest>): LiveModel
  /** A model of `createOpenAiHttpModel`. Default: path `/v1`, key `sk-user`. */
  createHttpModel(options?: HttpModelOptions): ChatModel
}

export async function openProviderHarness(
  options: { readonly handler?: UpstreamHandler | undefined } = {},
): Promise<ProviderHarness> {
  const upstream = await openUpstream(options.handler)
  const clock = handClock()
  const registry = openProviderRegistry({ effects: clock })
  const pools = openPools()
  return {
    upstream,
    clock,
    configure: (kind, fields) => createProviderConfig(kind, { baseURL: `${upstream.url}/base`, ...fields }),
    build: (config, fields) => registry.build(createModelRequest(config, fields)),
    createHttpModel({ path = '/v1', apiKey = 'sk-user', maxResponseBytes = DEFAULTS.runtime.maxResponseBytes } = {}) {
      const baseURL = new URL(upstream.url + path)
      return createOpenAiHttpModel({
        effects: clock,
        provider: 'local',
        model: 'm',
        getDispatcher: pools.dispatcherFor(baseURL, true),
        baseURL,
        apiKey,
        maxResponseBytes,
        headers: { 'x-extra': 'yes' },
      })
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([registry.close(), pools.close()])
      await upstream[Symbol.asyncDispose]()
    },
  }
}

export function createProviderConfig(
  kind: ProviderConfig['kind'],
  fields: Partial<ProviderConfig> = {},
): ProviderConfig {
  return { kind, ...(kind === 'amazon-bedrock' ? { region: 'eu-central-1' } : {}), ...fields }
}

export function createModelRequest(config: ProviderOption, fields: Partial<ModelRequest> = {}): ModelRequest {
  return {
    user: { namespace: 'default', id: 'u' },
    provider: 'p',
    config,
    modelId: 'm-1',
    settings: { region: null, deployment: null, baseURL: null },
    credentials: null,
    operatorKeyAllowed: true,
    ...fields,
  }
}

export const messages: ChatRequest['messages'] = [{ role: 'user', content: 'Hi' }]

export function createCall(signal: AbortSignal = new AbortController().signal): ChatCall {
  return { signal, firstChunkTimeoutMs: 1000, idleTimeoutMs: 500 }
}

/** Calls the model and collects its answer. */
export async function complete(chat: ChatModel, stream: boolean): Promise<ChatCompletion> {
  const answer = await chat.chat({ messages, stream }, createCall())
  if (answer.kind === 'completion') return JSON.parse(answer.text) as ChatCompletion
  const chunks = await readChunks(answer)
  return mergeChunks(chunks.map((chunk) => JSON.parse(chunk)))
}

/** The chunks of a streamed answer. */
export async function readChunks(answer: ChatAnswer): Promise<string[]> {
  return Array.fromAsync(chunksOf(answer))
}

/** The iterator of a streamed answer. */
export function chunksOf(answer: ChatAnswer): AsyncIterableIterator<string> {
  if (answer.kind !== 'stream') assert.fail('The answer is not a stream.')
  return answer.chunks as AsyncIterableIterator<string>
}

/** The key in a request, in the header of each provider. */
export function getKey({ headers }: UpstreamRequest): string {
  const authorization = String(headers.authorization ?? '')
  const accessKeyId = /Credential=([^/]+)/.exec(authorization)?.[1]
  const bearerToken = authorization.replace(/^Bearer /, '')
  return accessKeyId ?? String(headers['x-api-key'] ?? headers['x-goog-api-key'] ?? headers['api-key'] ?? bearerToken)
}

/** A predicate for `assert.rejects`: a `PurserError` with this code that satisfies the check. */
export function failsWith(
  code: ErrorCode,
  check: (error: PurserError) => boolean = () => true,
): (error: unknown) => boolean {
  return (error) => {
    assert.ok(PurserError.is(error), String(error))
    assert.equal(error.code, code)
    return check(error)
  }
}

/** Lets bytes that are on the loopback arrive. */
export async function flushLoopback(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate)
}

const TRAP = 'http://127.0.0.1:9/trap'
const HOSTILE_VARIABLES = {
  OPENAI_API_KEY: 'server-key',
  OPENAI_BASE_URL: TRAP,
  OPENAI_ORGANIZATION: 'server-org',
  ANTHROPIC_API_KEY: 'server-key',
  ANTHROPIC_AUTH_TOKEN: 'server-key',
  ANTHROPIC_BASE_URL: TRAP,
  GOOGLE_GENERATIVE_AI_API_KEY: 'server-key',
  AZURE_API_KEY: 'server-key',
  AZURE_RESOURCE_NAME: 'server-resource',
  AWS_REGION: 'us-west-1',
  AWS_ACCESS_KEY_ID: 'server-key',
  AWS_SECRET_ACCESS_KEY: 'server-key',
  AWS_SESSION_TOKEN: 'server-key',
  AWS_BEARER_TOKEN_BEDROCK: 'server-key',
  AWS_ENDPOINT_URL: TRAP,
  AWS_ENDPOINT_URL_BEDROCK_RUNTIME: TRAP,
  FRIENDLI_TOKEN: 'server-key',
  HTTP_PROXY: TRAP,
  HTTPS_PROXY: TRAP,
  http_proxy: TRAP,
  https_proxy: TRAP,
  AI_GATEWAY_API_KEY: 'server-key',
}

/** Call it at the top of a test file: during its tests, the environment has a server's keys for every provider. */
export function useHostileEnvironment(): void {
  const original = { ...process.env }
  before(() => void Object.assign(process.env, HOSTILE_VARIABLES))
  after(() => {
    process.env = original
  })
}
