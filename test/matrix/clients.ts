import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import Anthropic from '@anthropic-ai/sdk'
import { ChatOpenAI } from '@langchain/openai'
import { Agent, OpenAIProvider, Runner } from '@openai/agents'
import { generateText, streamText } from 'ai'
import OpenAI from 'openai'
import type { ClientName } from './cells.ts'

/** What a client needs to know. */
export interface Target {
  /** Of the server, without `/v1`. */
  readonly url: string
  readonly key: string
  readonly user: string
}

/** Two turns of the user with one question: the text of the whole answer, and that of the streamed one. */
type Ask = (target: Target, question: string) => Promise<readonly [whole: string, streamed: string]>

async function joinParts(parts: AsyncIterable<string | null | undefined>): Promise<string> {
  let text = ''
  for await (const part of parts) text += part ?? ''
  return text
}

const headersOf = ({ user }: Target): Record<string, string> => ({ 'x-purser-user': user })

const openAi = (target: Target): OpenAI =>
  new OpenAI({ baseURL: `${target.url}/v1`, apiKey: target.key, maxRetries: 0, defaultHeaders: headersOf(target) })

const askWithFetch: Ask = async (target, content) => {
  const post = (stream: boolean): Promise<Response> =>
    fetch(`${target.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${target.key}`, 'content-type': 'application/json', ...headersOf(target) },
      body: JSON.stringify({ stream, messages: [{ role: 'user', content }] }),
    })
  const whole = (await (await post(false)).json()) as { choices: [{ message: { content: string } }] }
  const events = (await (await post(true)).text()).split('\n\n').filter((event) => event.startsWith('data: {'))
  const chunks = events.map((event) => JSON.parse(event.slice(6)) as { choices: { delta: { content?: string } }[] })
  return [whole.choices[0].message.content, chunks.map(({ choices }) => choices[0]?.delta.content ?? '').join('')]
}

const askWithOpenAiChat: Ask = async (target, content) => {
  const client = openAi(target)
  const request = { model: 'auto', messages: [{ role: 'user' as const, content }] }
  const whole = await client.chat.completions.create(request)
  const stream = await client.chat.completions.create({ ...request, stream: true })
  const parts = (async function* () {
    for await (const { choices } of stream) yield choices[0]?.delta.content
  })()
  return [whole.choices[0]?.message.content ?? '', await joinParts(parts)]
}

const askWithOpenAiResponses: Ask = async (target, input) => {
  const client = openAi(target)
  const whole = await client.responses.create({ model: 'auto', input })
  const stream = await client.responses.create({ model: 'auto', input, stream: true })
  const parts = (async function* () {
    for await (const event of stream) if (event.type === 'response.output_text.delta') yield event.delta
  })()
  return [whole.output_text, await joinParts(parts)]
}

const askWithAnthropic: Ask = async (target, content) => {
  const { url, key } = target
  const client = new Anthropic({ baseURL: url, apiKey: key, maxRetries: 0, defaultHeaders: headersOf(target) })
  const request = { model: 'auto', max_tokens: 1_000, messages: [{ role: 'user' as const, content }] }
  const whole = await client.messages.create(request)
  const stream = client.messages.stream(request)
  return [whole.content.map((block) => (block.type === 'text' ? block.text : '')).join(''), await stream.finalText()]
}

const askWithAiSdk: Ask = async (target, prompt) => {
  const { url, key } = target
  const provider = createOpenAICompatible({
    name: 'purser',
    baseURL: `${url}/v1`,
    apiKey: key,
    headers: headersOf(target),
  })
  const options = { model: provider('auto'), prompt, maxRetries: 0 }
  const { text } = await generateText(options)
  return [text, await joinParts(streamText(options).textStream)]
}

const askWithLangChain: Ask = async (target, question) => {
  const model = new ChatOpenAI({
    model: 'auto',
    apiKey: target.key,
    maxRetries: 0,
    configuration: { baseURL: `${target.url}/v1`, defaultHeaders: headersOf(target) },
  })
  const whole = await model.invoke(question)
  const stream = await model.stream(question)
  const parts = (async function* () {
    for await (const { text } of stream) yield text
  })()
  return [whole.text, await joinParts(parts)]
}

const askWithAgents: Ask = async (target, question) => {
  const modelProvider = new OpenAIProvider({
    openAIClient: openAi(target),
    useResponses: false,
  } as ConstructorParameters<typeof OpenAIProvider>[0])
  const runner = new Runner({ modelProvider, tracingDisabled: true })
  const agent = new Agent({ name: 'Assistant', model: 'auto' })
  const whole = await runner.run(agent, question)
  const streamed = await runner.run(agent, question, { stream: true })
  const text = await joinParts(streamed.toTextStream() as AsyncIterable<string>)
  await streamed.completed
  return [String(whole.finalOutput), text]
}

export const ASK: Readonly<Record<ClientName, Ask>> = {
  '`fetch`': askWithFetch,
  'OpenAI SDK, chat': askWithOpenAiChat,
  'OpenAI SDK, responses': askWithOpenAiResponses,
  'Anthropic SDK': askWithAnthropic,
  'AI SDK': askWithAiSdk,
  LangChain: askWithLangChain,
  'OpenAI Agents': askWithAgents,
}
