import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { type ErrorCode, PurserError } from '../../src/errors.ts'
import type { ChatRequest } from '../../src/openai/chat.ts'
import type { ChatAnswer, ChatCall, ChatModel } from '../../src/openai/chat-model.ts'
import { createPools, type Pools } from '../../src/providers/http/pools.ts'
import { createOpenAiHttp } from '../../src/providers/openai-http.ts'
import { type HandClock, handClock } from '../../src/testing/hand-clock.ts'
import type { Upstream } from './upstream.ts'

/** Shared by the tests of one file; close it after them. */
export const pools: Pools = createPools()

export const messages: ChatRequest['messages'] = [{ role: 'user', content: 'Hi' }]
export const asked: ChatRequest = { messages, model: 'm', stream: true }

export function modelOf(
  upstream: Upstream,
  options: { clock?: HandClock; path?: string; apiKey?: string } = {},
): ChatModel {
  const baseURL = new URL(upstream.url + (options.path ?? '/v1'))
  return createOpenAiHttp({
    effects: options.clock ?? handClock(),
    provider: 'local',
    model: 'm',
    door: pools.door(baseURL, true),
    baseURL,
    apiKey: options.apiKey ?? 'sk-user',
    headers: { 'x-extra': 'yes' },
  })
}

export function callWith(signal: AbortSignal = new AbortController().signal): ChatCall {
  return { signal, firstChunkTimeoutMs: 1000, idleTimeoutMs: 500 }
}

export async function textsOf(answer: ChatAnswer): Promise<string[]> {
  assert.equal(answer.kind, 'stream')
  return answer.kind === 'stream' ? Array.fromAsync(answer.chunks) : []
}

/** A check for `assert.rejects`: a Purser error of this code, of which more may be asked. */
export function failsWith(
  code: ErrorCode,
  more: (error: PurserError) => boolean = () => true,
): (error: unknown) => boolean {
  return (error) => PurserError.is(error, code) && more(error)
}

/** Lets what is on its way through the loopback arrive. */
export async function upstreamIdle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate)
}

/** What an upstream does once, told when it has been asked. */
export async function scripted(upstream: Upstream): Promise<{ response: Promise<ServerResponse> }> {
  const { promise, resolve } = Promise.withResolvers<ServerResponse>()
  upstream.script = (response) => resolve(response)
  return { response: promise }
}
