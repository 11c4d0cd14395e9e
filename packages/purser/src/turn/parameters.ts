import type { ChatRequest } from '../openai/chat.ts'

/** The AI SDK's names of model parameters, as settings hold them, and OpenAI's names, as requests do. */
const OPENAI_NAMES: Readonly<Record<string, string>> = {
  temperature: 'temperature',
  topP: 'top_p',
  topK: 'top_k',
  maxOutputTokens: 'max_tokens',
  frequencyPenalty: 'frequency_penalty',
  presencePenalty: 'presence_penalty',
  stopSequences: 'stop',
  seed: 'seed',
  reasoningEffort: 'reasoning_effort',
}

/** Names that say the same in a request, so that a request's own limit is not set a second time. */
const SAME: Readonly<Record<string, string>> = { max_tokens: 'max_completion_tokens' }

/** Adds the user's parameters that the request does not give itself. Unknown names are passed on as they are. */
export function withParameters(request: ChatRequest, parameters: Readonly<Record<string, unknown>>): ChatRequest {
  const added: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(parameters)) {
    const field = OPENAI_NAMES[name] ?? name
    const given = request[field] ?? request[SAME[field] ?? field]
    if (given === undefined && value !== undefined && value !== null) added[field] = value
  }
  return { ...request, ...added }
}
