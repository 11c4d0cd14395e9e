import { after, before } from 'node:test'
import type { ChatCompletion, ChatRequest } from '../../src/openai/chat.ts'
import type { ChatCall, ChatModel } from '../../src/openai/chat-model.ts'
import { completionOf } from '../../src/openai/completion.ts'
import type { ProviderConfig, ProviderOption } from '../../src/options.ts'
import { createModels, type Models } from '../../src/providers/registry.ts'
import type { ModelRequest } from '../../src/runtime/api.ts'
import { handClock } from '../../src/testing/hand-clock.ts'
import type { Seen, Upstream } from './upstream.ts'
import { SPEAKERS } from './wire-formats.ts'

const TRAP = 'http://127.0.0.1:9/trap'
const HOSTILE = {
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

/** Call it at the top of a test file: while its tests run, the environment holds a server's keys for everything. */
export function withHostileEnvironment(): void {
  const kept = { ...process.env }
  before(() => void Object.assign(process.env, HOSTILE))
  after(() => {
    process.env = kept
    return models.close()
  })
}

export const models: Models = createModels({ effects: handClock() })
export const KINDS: readonly ProviderConfig['kind'][] = Object.keys(SPEAKERS) as ProviderConfig['kind'][]

export function orderFor(user: string, config: ProviderOption, more: Partial<ModelRequest> = {}): ModelRequest {
  return {
    user: { namespace: 'default', id: user },
    provider: 'p',
    config,
    modelId: 'm-1',
    settings: { region: null, deployment: null, baseURL: null },
    credentials: null,
    operatorKeyAllowed: true,
    ...more,
  }
}

export function configOf(
  kind: ProviderConfig['kind'],
  upstream: Upstream | undefined,
  more: Partial<ProviderConfig> = {},
): ProviderConfig {
  const place = upstream === undefined ? {} : { baseURL: `${upstream.url}/base` }
  return { kind, ...place, ...(kind === 'amazon-bedrock' ? { region: 'eu-central-1' } : {}), ...more }
}

export const call = (): ChatCall => ({
  signal: new AbortController().signal,
  firstChunkTimeoutMs: 1000,
  idleTimeoutMs: 1000,
})
export const messages: ChatRequest['messages'] = [{ role: 'user', content: 'Hi' }]

export async function ask(chat: ChatModel, stream: boolean): Promise<ChatCompletion> {
  const answer = await chat.chat({ messages, stream }, call())
  if (answer.kind === 'completion') return JSON.parse(answer.text) as ChatCompletion
  const texts = await Array.fromAsync(answer.chunks)
  return completionOf(texts.map((text) => JSON.parse(text)))
}

/** The key as each provider wants it, wherever it stands. */
export function keyIn({ headers }: Seen): string {
  const authorization = String(headers.authorization ?? '')
  const signed = /Credential=([^/]+)/.exec(authorization)?.[1]
  const plain = authorization.replace(/^Bearer /, '')
  return signed ?? String(headers['x-api-key'] ?? headers['x-goog-api-key'] ?? headers['api-key'] ?? plain)
}
