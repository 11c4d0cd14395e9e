/*
 * The cases of the Open Responses compliance command (openresponses.org, version 2026-04-24), typed anew as data with
 * expectations of ours: its schema of a response and of events as names of members and what they must be.
 */

export interface OpenResponsesCase {
  readonly name: string
  readonly request: Readonly<Record<string, unknown>>
  readonly streams?: true
  /** What the model answers. */
  readonly answer?: Readonly<Record<string, unknown>>
  /** A type that one of the output items must have. */
  readonly item?: string
  /** Types of events that must occur. */
  readonly events?: readonly string[]
}

const PIXEL =
  'data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=='

const WEATHER_TOOL = {
  type: 'function',
  name: 'get_weather',
  description: 'Returns the weather of a city.',
  parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
}
const WEATHER_CALL = {
  tool_calls: [{ id: 'call_1', type: 'function', function: { name: 'get_weather', arguments: '{"city":"Pune"}' } }],
}

function message(role: string, content: unknown): object {
  return { type: 'message', role, content }
}

export const CASES: readonly OpenResponsesCase[] = [
  { name: 'basic text response', request: { input: [message('user', 'Say hello in three words.')] } },
  {
    name: 'streaming response',
    streams: true,
    request: { input: [message('user', 'Count to five.')] },
    events: ['response.created', 'response.in_progress', 'response.output_text.delta', 'response.completed'],
  },
  {
    name: 'system prompt',
    request: { input: [message('system', 'You are a pirate.'), message('user', 'Say hello.')] },
  },
  {
    name: 'tool calling',
    request: { input: [message('user', 'What is the weather in Pune?')], tools: [WEATHER_TOOL] },
    answer: WEATHER_CALL,
    item: 'function_call',
  },
  {
    name: 'tool calling, streaming',
    streams: true,
    request: { input: [message('user', 'What is the weather in Pune?')], tools: [WEATHER_TOOL] },
    answer: WEATHER_CALL,
    item: 'function_call',
    events: [
      'response.output_item.added',
      'response.function_call_arguments.delta',
      'response.function_call_arguments.done',
      'response.output_item.done',
    ],
  },
  {
    name: 'image input',
    request: {
      input: [
        message('user', [
          { type: 'input_text', text: 'What is in this image?' },
          { type: 'input_image', image_url: PIXEL },
        ]),
      ],
    },
  },
  {
    name: 'conversation of several turns',
    request: {
      input: [
        message('user', 'My name is Alice.'),
        message('assistant', 'Hello Alice!'),
        message('user', 'What is my name?'),
      ],
    },
  },
  {
    name: 'reasoning, streaming',
    streams: true,
    request: { input: 'Think.', reasoning: { effort: 'low', summary: 'auto' } },
    answer: { reasoning_content: 'Let me think.', content: 'Done.' },
    item: 'reasoning',
    events: ['response.reasoning_summary_part.added', 'response.reasoning_summary_text.done'],
  },
  {
    name: 'refusal, streaming',
    streams: true,
    request: { input: 'Do it.' },
    answer: { refusal: 'I cannot do that.' },
    events: ['response.refusal.delta', 'response.refusal.done'],
  },
]

type Check = (value: unknown) => boolean

const isText: Check = (value) => typeof value === 'string'
const isInteger: Check = (value) => Number.isInteger(value)
const isNumber: Check = (value) => typeof value === 'number'
const isBoolean: Check = (value) => typeof value === 'boolean'
const isList: Check = Array.isArray
const isObject: Check = (value) => typeof value === 'object' && value !== null && !Array.isArray(value)
const orNull =
  (check: Check): Check =>
  (value) =>
    value === null || check(value)
const isOneOf =
  (...values: readonly unknown[]): Check =>
  (value) =>
    values.includes(value)
const isChoice: Check = (value) => isObject(value) || isOneOf('none', 'auto', 'required')(value)

type Shape = Readonly<Record<string, Check>>

const RESPONSE: Shape = {
  id: isText,
  object: isOneOf('response'),
  created_at: isInteger,
  completed_at: orNull(isInteger),
  status: isText,
  incomplete_details: orNull(isObject),
  model: isText,
  previous_response_id: orNull(isText),
  instructions: orNull(isText),
  output: isList,
  error: orNull(isObject),
  tools: isList,
  tool_choice: isChoice,
  truncation: isOneOf('auto', 'disabled'),
  parallel_tool_calls: isBoolean,
  text: isObject,
  top_p: isNumber,
  presence_penalty: isNumber,
  frequency_penalty: isNumber,
  top_logprobs: isInteger,
  temperature: isNumber,
  reasoning: orNull(isObject),
  usage: orNull(isObject),
  max_output_tokens: orNull(isInteger),
  max_tool_calls: orNull(isInteger),
  store: isBoolean,
  background: isBoolean,
  service_tier: isText,
  metadata: isObject,
  safety_identifier: orNull(isText),
  prompt_cache_key: orNull(isText),
}
const USAGE: Shape = {
  input_tokens: isInteger,
  input_tokens_details: isObject,
  output_tokens: isInteger,
  output_tokens_details: isObject,
  total_tokens: isInteger,
}
const TOOL: Shape = {
  type: isText,
  name: isText,
  description: orNull(isText),
  parameters: orNull(isObject),
  strict: orNull(isBoolean),
}
const isStatus = isOneOf('in_progress', 'completed', 'incomplete')
const ITEMS: Readonly<Record<string, Shape>> = {
  message: { id: isText, status: isStatus, role: isOneOf('assistant'), content: isList },
  function_call: { id: isText, call_id: isText, name: isText, arguments: isText, status: isStatus },
  reasoning: { id: isText, summary: isList },
}
const PARTS: Readonly<Record<string, Shape>> = {
  output_text: { text: isText, annotations: isList, logprobs: isList },
  refusal: { refusal: isText },
  summary_text: { text: isText },
}
const OF_RESPONSE: Shape = { response: isObject }
const OF_ITEM: Shape = { output_index: isInteger, item: isObject }
const OF_CALL: Shape = { item_id: isText, output_index: isInteger }
const OF_PART: Shape = { ...OF_CALL, content_index: isInteger }
const OF_SUMMARY: Shape = { ...OF_CALL, summary_index: isInteger }
const EVENTS: Readonly<Record<string, Shape>> = {
  'response.created': OF_RESPONSE,
  'response.in_progress': OF_RESPONSE,
  'response.completed': OF_RESPONSE,
  'response.incomplete': OF_RESPONSE,
  'response.output_item.added': OF_ITEM,
  'response.output_item.done': OF_ITEM,
  'response.content_part.added': { ...OF_PART, part: isObject },
  'response.content_part.done': { ...OF_PART, part: isObject },
  'response.output_text.delta': { ...OF_PART, delta: isText, logprobs: isList },
  'response.output_text.done': { ...OF_PART, text: isText, logprobs: isList },
  'response.refusal.delta': { ...OF_PART, delta: isText },
  'response.refusal.done': { ...OF_PART, refusal: isText },
  'response.function_call_arguments.delta': { ...OF_CALL, delta: isText },
  'response.function_call_arguments.done': { ...OF_CALL, arguments: isText },
  'response.reasoning_summary_part.added': { ...OF_SUMMARY, part: isObject },
  'response.reasoning_summary_part.done': { ...OF_SUMMARY, part: isObject },
  'response.reasoning_summary_text.delta': { ...OF_SUMMARY, delta: isText },
  'response.reasoning_summary_text.done': { ...OF_SUMMARY, text: isText },
}

type Fields = Readonly<Record<string, unknown>>

function problemsOf(value: Fields, shape: Shape | undefined, path: string): string[] {
  if (shape === undefined) return [`${path} has the unknown type '${value.type}'`]
  return Object.entries(shape).flatMap(([name, check]) => (check(value[name]) ? [] : [`${path}.${name}`]))
}

function listOf(value: unknown): readonly Fields[] {
  return Array.isArray(value) ? value : []
}

/** What is wrong with a complete response. */
export function problemsOfResponse(response: Fields, { item }: OpenResponsesCase): string[] {
  const output = listOf(response.output)
  return [
    ...problemsOf(response, RESPONSE, 'response'),
    ...problemsOf((response.usage ?? {}) as Fields, USAGE, 'usage'),
    ...listOf(response.tools).flatMap((tool) => problemsOf(tool, TOOL, 'tool')),
    ...output.flatMap((one) => problemsOf(one, ITEMS[String(one.type)], 'item')),
    ...output
      .flatMap((one) => [...listOf(one.content), ...listOf(one.summary)])
      .flatMap((part) => problemsOf(part, PARTS[String(part.type)], 'part')),
    ...(response.status === 'completed' ? [] : ['response.status']),
    ...(output.length > 0 ? [] : ['no output']),
    ...(item === undefined || output.some(({ type }) => type === item) ? [] : [`no ${item}`]),
  ]
}

/** What is wrong with the events of a stream. */
export function problemsOfEvents(events: readonly Fields[], { events: needed = [] }: OpenResponsesCase): string[] {
  const types = events.map(({ type }) => String(type))
  return [
    ...events.flatMap((event) => problemsOf(event, EVENTS[String(event.type)], String(event.type))),
    ...events.flatMap(({ sequence_number }, index) =>
      sequence_number === index ? [] : [`event ${index} out of order`],
    ),
    ...needed.filter((type) => !types.includes(type)).map((type) => `no ${type}`),
  ]
}
