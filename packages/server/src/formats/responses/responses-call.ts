import { PurserError } from 'purser'
import { createModelRewriter, type EndpointCall, type EndpointUpstream, isObject } from 'purser/internal'
import { addParameters, type Fields, modelOf, replaceUser } from '../request-body.ts'
import { toUsage } from '../token-usage.ts'
import { unsupportedParameter } from '../unsupported-parameter.ts'
import { convertRequest } from './convert-request.ts'

const PARAMETER_NAMES: Readonly<Record<string, string>> = {
  temperature: 'temperature',
  topP: 'top_p',
  maxOutputTokens: 'max_output_tokens',
}

const LAST_EVENTS: readonly unknown[] = ['response.completed', 'response.incomplete', 'response.failed', 'error']

/**
 * A request for a response, for a provider that has the endpoint, or as a chat request for any other.
 *
 * @throws {PurserError} `previous_response_not_found`, `unsupported_parameter` for what needs stored responses
 */
export function createResponsesCall(body: Fields): EndpointCall {
  rejectStored(body)
  const model = modelOf(body)
  return {
    endpoint: 'responses',
    model,
    body,
    hasPrompt: true,
    prepare: (upstream) => ({
      headers: { 'content-type': 'application/json' },
      body: prepareRequest(body, upstream),
    }),
    toChat: () => convertRequest(body),
    rewrite: model === undefined ? (json) => json : createResponseRewriter(model),
    readUsage: ({ response, usage }) => toUsage(isObject(response) ? response.usage : usage),
    isLast: ({ event }) => LAST_EVENTS.includes(event),
    textMembers: ['"delta":'],
    formatError({ code, message, param, ...error }) {
      const data = { type: 'error', code, message, param, error: { code, message, param, ...error } }
      return `event: error\ndata: ${JSON.stringify(data)}\n\n`
    },
  }
}

function rejectStored({ previous_response_id: previous, conversation, background }: Fields): void {
  if (previous !== undefined && previous !== null) {
    throw new PurserError('previous_response_not_found', 'Responses are not stored: send the whole input again.', {
      hint: "Pass the output items of earlier responses in 'input' instead of 'previous_response_id'.",
      details: { param: 'previous_response_id' },
    })
  }
  if (conversation !== undefined && conversation !== null) throw unsupportedParameter('conversations', 'conversation')
  if (background === true) throw unsupportedParameter('responses in the background', 'background')
}

function prepareRequest(body: Fields, { model, parameters, contextText, pseudonym }: EndpointUpstream): Fields {
  const { reasoning } = body
  const effort = parameters.reasoningEffort
  const withParameters = addParameters(replaceUser(body, pseudonym), parameters, PARAMETER_NAMES)
  const needsEffort = typeof effort === 'string' && (isObject(reasoning) ? (reasoning.effort ?? null) : null) === null
  return {
    ...injectContext(withParameters, contextText),
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

/** Echoes the requested model in a response, which is a whole answer or inside an event. */
function createResponseRewriter(model: string): (json: string) => string {
  const rewriteTop = createModelRewriter(model)
  return (json) => {
    if (!/"response"\s*:\s*\{/.test(json)) return json.includes('"object"') ? rewriteTop(json) : json
    const event: unknown = JSON.parse(json)
    if (!isObject(event) || !isObject(event.response)) return json
    return JSON.stringify({ ...event, response: { ...event.response, model } })
  }
}
