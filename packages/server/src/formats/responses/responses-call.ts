import { type EndpointCall, type EndpointUpstream, isObject, parseExactJson, readJsonObject } from 'purser/internal'
import { addParameters, type Fields, modelOf, replaceUser } from '../request-body.ts'
import { toUsage } from '../token-usage.ts'
import { type Conversation, toStatelessInput } from './conversation.ts'
import { convertRequest } from './convert-request.ts'

const PARAMETER_NAMES: Readonly<Record<string, string>> = {
  temperature: 'temperature',
  topP: 'top_p',
  maxOutputTokens: 'max_output_tokens',
}

const LAST_EVENTS: readonly unknown[] = ['response.completed', 'response.incomplete', 'response.failed', 'error']
/** Of an event that is not named. */
const LAST_TYPE = /^\s*\{\s*"type"\s*:\s*"(response\.(completed|incomplete|failed)|error)"/

/** A request for a response, for a provider that has the endpoint, or as a chat request for any other. */
export function createResponsesCall(asked: Fields, conversation: Conversation): EndpointCall {
  const { body } = conversation
  return {
    endpoint: 'responses',
    model: modelOf(body),
    body,
    hasPrompt: true,
    prepare: (upstream) => ({
      headers: { 'content-type': 'application/json' },
      body: prepareRequest(body, conversation, upstream),
    }),
    toChat: () => convertRequest(body),
    inside: 'response',
    isRewritten: (text) => RESPONSE.test(text),
    rewrite: createResponseRewriter(asked, conversation),
    finish:
      conversation.keep && ((text, turn) => keepResponse(text, (response) => conversation.keep?.(response, turn))),
    readUsage: toUsage,
    toolCalls: {
      mark: '_call"',
      tools: body.tools,
      members: ['type', 'item', 'output'],
      list: (values) => listToolCalls(values, body.tools),
    },
    isLast: ({ event, data }) => LAST_EVENTS.includes(event) || (event === 'message' && LAST_TYPE.test(data)),
    textMembers: ['"delta":'],
    formatError({ code, message, param, ...error }) {
      const data = { type: 'error', code, message, param, error: { code, message, param, ...error } }
      return `event: error\ndata: ${JSON.stringify(data)}\n\n`
    },
  }
}

function prepareRequest(
  body: Fields,
  { recalled }: Conversation,
  { model, parameters, contextText, pseudonym }: EndpointUpstream,
): Fields {
  const { reasoning } = body
  const effort = parameters.reasoningEffort
  const withParameters = addParameters(replaceUser(body, pseudonym), parameters, PARAMETER_NAMES)
  const needsEffort = typeof effort === 'string' && (isObject(reasoning) ? (reasoning.effort ?? null) : null) === null
  const input = toStatelessInput(body.input, recalled)
  return {
    ...injectContext({ ...withParameters, ...(input === undefined ? {} : { input }) }, contextText),
    ...(needsEffort ? { reasoning: { ...(isObject(reasoning) ? reasoning : {}), effort } } : {}),
    model,
    store: false,
  }
}

/**
 * Adds the user's context behind the application's own text: at the end of the instructions, or behind the leading
 * messages of the system or developer if there are no instructions.
 */
function injectContext(body: Fields, text: string): Fields {
  if (text === '') return body
  const { instructions, input } = body
  if (typeof instructions === 'string' && instructions !== '') {
    return { ...body, instructions: `${instructions}\n\n${text}` }
  }
  const leading = Array.isArray(input) ? input.findIndex((item) => !isInstruction(item)) : 0
  if (leading === 0 || !Array.isArray(input)) return { ...body, instructions: text }
  const end = leading === -1 ? input.length : leading
  return { ...body, input: input.toSpliced(end, 0, { role: 'developer', content: text }) }
}

function isInstruction(item: unknown): boolean {
  return isObject(item) && (item.role === 'system' || item.role === 'developer')
}

/** The calls that an event completes, or that are in a whole response: of functions, and of tools that the provider runs. */
function listToolCalls({ type, item, output }: Fields, tools: unknown): readonly (string | undefined)[] {
  const items: readonly unknown[] = type === 'response.output_item.done' ? [item] : Array.isArray(output) ? output : []
  return items
    .filter((one) => isObject(one) && String(one.type).endsWith(CALL))
    .map((one) => nameOfCall(one as Fields, tools))
}

const CALL = '_call'
const NAMED_CALLS: readonly unknown[] = ['function_call', 'custom_tool_call']

/** Of a tool that the provider runs, the type under which the request declares it: `web_search_preview` for `web_search_call`. */
function nameOfCall({ type, name }: Fields, tools: unknown): string | undefined {
  if (NAMED_CALLS.includes(type)) return typeof name === 'string' ? name : undefined
  const kind = String(type).slice(0, -CALL.length)
  const types = (Array.isArray(tools) ? tools : []).map((tool: unknown) => (isObject(tool) ? String(tool.type) : ''))
  return types.find((declared) => declared.startsWith(kind))
}

/** What a provider repeats of its request, and the client has sent otherwise. */
const REPEATED = ['instructions', 'safety_identifier', 'user'] as const

/** A response that is the whole answer, or inside an event. */
const RESPONSE = /"response"\s*:\s*\{|"object"\s*:\s*"response"/

/**
 * Writes a response, which is a whole answer or inside an event, as one to the request of the client: with the model, the
 * id and the texts that it knows.
 */
function createResponseRewriter(asked: Fields, { id, previousId, keep }: Conversation): EndpointCall['rewrite'] {
  const model = modelOf(asked)
  const own = {
    ...(id === undefined ? {} : { id }),
    previous_response_id: previousId,
    ...(model === undefined ? {} : { model }),
  }
  return (json) => {
    const isInside = json.hasInside
    if (!isInside && json.get('object') !== 'response') return json.text
    const repeated = REPEATED.filter((name) => json.has(name, { isInside })).map((name) => [name, asked[name] ?? null])
    const store = keep !== undefined && json.get('status', { isInside }) !== 'failed'
    return json.with({ ...Object.fromEntries(repeated), ...own, store }, { isInside })
  }
}

/** A longer response is not kept, and is not parsed to find that out. */
const STORED_MAX_CHARACTERS = 2_097_152

/** Keeps the response of a last event, or that is the whole answer, and says in it whether it is kept. */
async function keepResponse(text: string, keep: (response: Fields) => Promise<boolean> | undefined): Promise<string> {
  const json = await readJsonObject(text, 'response')
  if (json === undefined) return text
  const isInside = json.hasInside
  const status = json.get('status', { isInside })
  const isStorable = (status === 'completed' || status === 'incomplete') && text.length <= STORED_MAX_CHARACTERS
  const isStored = isStorable && (await keep(responseIn(text))) === true
  return json.with({ store: isStored }, { isInside })
}

function responseIn(text: string): Fields {
  const value = parseExactJson(text) as Fields
  return isObject(value.response) ? value.response : value
}
