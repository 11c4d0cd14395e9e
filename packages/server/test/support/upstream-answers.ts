import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib'
import fc from 'fast-check'

/*
 * Random answers of upstreams: what an answer says, and the bytes in which an upstream says it, with the deviations from
 * OpenAI's format that providers are known for.
 */

type Fields = Record<string, unknown>

interface Call {
  readonly id: string
  readonly name: string
  readonly arguments: string
}

/** What every surface has to report. */
export interface ExpectedAnswer {
  readonly outcome: 'completed' | 'failed'
  readonly text: string
  readonly reasoning: string
  readonly calls: readonly Call[]
  readonly tokens: readonly [input: number, output: number] | undefined
}

export interface UpstreamAnswer {
  readonly expected: ExpectedAnswer
  readonly headers: Readonly<Record<string, string>>
  /** The body in the pieces in which it is written. */
  readonly pieces: readonly Buffer[]
  /** Whether the socket is destroyed behind the last piece. */
  readonly isCut: boolean
  /** For the report of a failing case. */
  [fc.toStringMethod](): string
}

const words = fc.constantFrom(
  'Hello',
  ' world',
  'é',
  '🙂',
  '"',
  '\\',
  '\n',
  '[DONE]',
  'data: ',
  '"usage":{',
  '"error":{"x":1}',
  ' ',
)
const text = fc.array(words, { minLength: 1, maxLength: 4 }).map((parts) => parts.join(''))
const input = fc
  .dictionary(fc.constantFrom('city', 'q', 'n'), fc.oneof(fc.string(), fc.nat()))
  .map((value) => JSON.stringify(value))

interface Logical {
  readonly texts: readonly string[]
  readonly reasoning: readonly string[]
  readonly calls: readonly Omit<Call, 'id'>[]
  readonly tokens: readonly [number, number] | undefined
}

const logical: fc.Arbitrary<Logical> = fc.record({
  texts: fc.array(text, { minLength: 1, maxLength: 6 }),
  reasoning: fc.array(text, { maxLength: 2 }),
  calls: fc.array(fc.record({ name: fc.constantFrom('weather', 'time', 'search'), arguments: input }), {
    maxLength: 3,
  }),
  tokens: fc.option(fc.tuple(fc.nat(9_999), fc.nat(9_999)), { nil: undefined }),
})

/** How an upstream deviates from the format; the same in all chunks of an answer. */
const style = fc.record({
  form: fc.constantFrom('events', 'events', 'events', 'json', 'one event'),
  content: fc.constantFrom('text', 'text', 'parts', 'texts', 'part', 'with message', 'message'),
  reasoningName: fc.constantFrom('reasoning_content', 'reasoning', 'both'),
  choices: fc.constantFrom('list', 'list', 'object', 'with null'),
  index: fc.constantFrom('number', 'number', 'absent', 'text', 'null'),
  header: fc.constantFrom('usual', 'usual', 'empty first', 'empty', 'absent', 'null'),
  absent: fc.constantFrom('null', 'absent', 'empty'),
  calls: fc.constantFrom('index', 'index', 'same index', 'no index', 'index as text'),
  argumentsAs: fc.constantFrom('text', 'pieces', 'object'),
  repeats: fc.constantFrom('nothing', 'nothing', 'id', 'id and name', 'empty', 'null'),
  usage: fc.constantFrom(
    'empty choices',
    'null choices',
    'no choices',
    'in the choice',
    'beside the choice',
    'null before',
  ),
  role: fc.constantFrom('first', 'each', 'empty', 'null', 'number'),
  extras: fc.constantFrom('none', 'none', 'nulls', 'odd types', 'large numbers'),
})
type Style = typeof style extends fc.Arbitrary<infer Value> ? Value : never

const framing = fc.record({
  lineEnd: fc.constantFrom('\n', '\n', '\r\n', '\r'),
  field: fc.constantFrom('data: ', 'data:', 'data:  ', 'data: \t'),
  trailing: fc.constantFrom('', '', ' ', '\t'),
  isPretty: fc.boolean(),
  hasBom: fc.boolean(),
  noise: fc.constantFrom(
    '',
    '',
    '',
    ': ping',
    'data:',
    'data: ',
    'data: null',
    'event: ping',
    'retry: 3000',
    'id: 7',
    'event: ping|data: {"type":"ping"}',
    'event: ping|data: pong',
    'data: {}',
    'data: []',
    'data: [null]',
    'data: {"choices":null}',
    'data: {"choices":[null]}',
    'data: {"choices":[]}',
    'data: {"error":null,"choices":[]}',
  ),
  contentType: fc.constantFrom(
    'text/event-stream',
    'text/event-stream',
    'text/event-stream; charset=utf-8',
    'application/json',
    'text/plain',
    '',
  ),
  coding: fc.constantFrom('', '', '', 'gzip', 'x-gzip', 'br', 'deflate', 'raw deflate', 'zstd', 'gzip, br', 'identity'),
  done: fc.constantFrom('[DONE]', '[DONE]', ' [DONE] ', 'none'),
})
type Framing = typeof framing extends fc.Arbitrary<infer Value> ? Value : never

/** What ends an answer before its end, and where: behind this share of its chunks. */
const fault = fc.record({
  kind: fc.constantFrom(
    'none',
    'none',
    'none',
    'cut',
    'destroy',
    'not json',
    'error',
    'error text',
    'error list',
    'error beside choices',
    'error and usage',
    'error in the choice',
    'finish error',
    'error event',
    'list of errors',
    'object error',
  ),
  share: fc.double({ min: 0, max: 1, noNaN: true }),
})
type Fault = typeof fault extends fc.Arbitrary<infer Value> ? Value : never

export const upstreamAnswer: fc.Arbitrary<UpstreamAnswer> = fc
  .record({ logical, style, framing, fault, splits: fc.array(fc.nat(), { maxLength: 6 }) })
  .map(({ logical: answer, style: chosen, framing: frame, fault: chosenFault, splits }) => {
    const isJson = chosen.form === 'json'
    const body = isJson
      ? renderJson(answer, chosen, chosenFault)
      : renderEvents(isSingle(chosen) ? [wholeOf(answer, chosen)] : chunksOf(answer, chosen), frame, chosenFault)
    const bytes = encode(Buffer.from(body.text), frame.coding)
    const contentType = isJson && frame.contentType.includes('event') ? 'application/json' : frame.contentType
    const coding = frame.coding === 'raw deflate' ? 'deflate' : frame.coding
    return {
      expected: { ...expectedOf(answer, chosen), outcome: body.isComplete ? 'completed' : 'failed' },
      headers: {
        ...(contentType === '' ? {} : { 'content-type': contentType }),
        ...(coding === '' ? {} : { 'content-encoding': coding }),
      },
      pieces: split(bytes, splits),
      isCut: chosenFault.kind === 'destroy',
      [fc.toStringMethod]: () => `${JSON.stringify({ chosen, frame, chosenFault })} ${body.text}`,
    }
  })

function isSingle({ form }: Style): boolean {
  return form === 'one event'
}

function expectedOf(
  { texts, reasoning, calls, tokens }: Logical,
  { argumentsAs }: Style,
): Omit<ExpectedAnswer, 'outcome'> {
  return {
    text: texts.join(''),
    reasoning: reasoning.join(''),
    calls: calls.map((call, index) => ({
      ...call,
      id: `call-${index}`,
      arguments: argumentsAs === 'object' ? JSON.stringify(JSON.parse(call.arguments)) : call.arguments,
    })),
    tokens,
  }
}

const usageOf = ([prompt_tokens, completion_tokens]: readonly [number, number]): Fields => ({
  prompt_tokens,
  completion_tokens,
  total_tokens: prompt_tokens + completion_tokens,
})

function headerOf({ header }: Style, isFirst: boolean): Fields {
  if (header === 'absent') return {}
  if (header === 'null') return { id: null, created: null, model: null }
  if (header === 'empty' || (header === 'empty first' && isFirst)) return { id: '', created: 0, model: '' }
  return { id: 'chatcmpl-1', created: 1_700_000_000, model: 'upstream' }
}

function chunkOf(chosen: Style, choice: Fields | undefined, more: Fields = {}, isFirst = false): Fields {
  const extras: Record<Style['extras'], Fields> = {
    none: {},
    nulls: { system_fingerprint: null, usage: null, error: null, service_tier: null },
    'odd types': { error: '', system_fingerprint: 5, vendor: [null, {}], usage: 7 },
    'large numbers': { vendor: '@12345678901234567890@' },
  }
  const list = choice === undefined ? [] : [{ ...indexOf(chosen), ...choice }]
  const choices =
    chosen.choices === 'object' && list.length === 1 ? list[0] : chosen.choices === 'with null' ? [...list, null] : list
  return { ...headerOf(chosen, isFirst), object: 'chat.completion.chunk', ...extras[chosen.extras], choices, ...more }
}

function indexOf({ index }: Style): Fields {
  if (index === 'absent') return {}
  return { index: index === 'number' ? 0 : index === 'text' ? '0' : null }
}

function contentOf(part: string, { content }: Style): unknown {
  if (content === 'parts') return [{ type: 'text', text: part }]
  if (content === 'texts') return [part]
  if (content === 'part') return { type: 'text', text: part }
  return part
}

function roleOf({ role }: Style, isFirst: boolean): Fields {
  if (role === 'empty') return { role: '' }
  if (role === 'null') return { role: null }
  if (role === 'number') return { role: 7 }
  return role === 'each' || isFirst ? { role: 'assistant' } : {}
}

function finishOf(chosen: Style): Fields {
  return chosen.absent === 'absent' ? {} : { finish_reason: chosen.absent === 'null' ? null : '' }
}

function reasoningOf(part: string, { reasoningName }: Style): Fields {
  return reasoningName === 'both' ? { reasoning_content: '', reasoning: part } : { [reasoningName]: part }
}

function chunksOf(answer: Logical, chosen: Style): Fields[] {
  const { texts, reasoning, calls, tokens } = answer
  const isWhole = chosen.content === 'message' && reasoning.length === 0 && calls.length === 0
  const chunks: Fields[] = []
  const add = (delta: Fields, choice: Fields = {}): void => {
    const isFirst = chunks.length === 0
    chunks.push(
      chunkOf(chosen, { ...finishOf(chosen), delta: { ...roleOf(chosen, isFirst), ...delta }, ...choice }, {}, isFirst),
    )
  }
  for (const part of reasoning) add(reasoningOf(part, chosen))
  let soFar = ''
  for (const part of texts) {
    soFar += part
    const message = { role: 'assistant', content: soFar }
    if (isWhole) chunks.push(chunkOf(chosen, { ...finishOf(chosen), message }))
    else add({ content: contentOf(part, chosen) }, chosen.content === 'with message' ? { message } : {})
  }
  for (const delta of callDeltas(calls, chosen)) add(delta)
  const reason = calls.length > 0 ? 'tool_calls' : 'stop'
  const usage = tokens === undefined ? undefined : usageOf(tokens)
  const inChoice = usage !== undefined && chosen.usage === 'in the choice' ? { usage } : {}
  const beside = usage !== undefined && chosen.usage === 'beside the choice' ? { usage } : {}
  chunks.push(
    chunkOf(chosen, { delta: chosen.absent === 'null' ? null : {}, finish_reason: reason, ...inChoice }, beside),
  )
  if (usage === undefined || chosen.usage === 'in the choice' || chosen.usage === 'beside the choice') return chunks
  if (chosen.usage === 'null before') chunks.push({ ...chunkOf(chosen, undefined), usage: null })
  const { choices: _, ...rest } = chunkOf(chosen, undefined)
  const last =
    chosen.usage === 'null choices'
      ? { ...rest, choices: null }
      : chosen.usage === 'no choices'
        ? rest
        : { ...rest, choices: [] }
  return [...chunks, { ...last, usage }]
}

/** The deltas of all calls, one call after the other. */
function callDeltas(calls: Logical['calls'], chosen: Style): Fields[] {
  return calls.flatMap(({ name, arguments: input }, position) => {
    const id = `call-${position}`
    const index: Fields =
      chosen.calls === 'no index'
        ? {}
        : { index: chosen.calls === 'same index' ? 0 : chosen.calls === 'index as text' ? String(position) : position }
    if (chosen.argumentsAs === 'object') {
      return [{ tool_calls: [{ ...index, id, type: 'function', function: { name, arguments: JSON.parse(input) } }] }]
    }
    const middle = Math.floor(input.length / 2)
    const parts = chosen.argumentsAs === 'pieces' ? ['', input.slice(0, middle), input.slice(middle)] : [input]
    return parts.map((part, at) => {
      const first = { id, type: 'function', function: { name, arguments: part } }
      return { tool_calls: [{ ...index, ...(at === 0 ? first : continuation(chosen, { id, name }, part)) }] }
    })
  })
}

function continuation({ repeats }: Style, { id, name }: { id: string; name: string }, part: string): Fields {
  if (repeats === 'id') return { id, function: { arguments: part } }
  if (repeats === 'id and name') return { id, type: 'function', function: { name, arguments: part } }
  if (repeats === 'empty') return { id: '', function: { name: '', arguments: part } }
  if (repeats === 'null') return { id: null, type: null, function: { name: null, arguments: part } }
  return { function: { arguments: part } }
}

/** The answer as one completion. */
function wholeOf(answer: Logical, chosen: Style): Fields {
  const { texts, reasoning, calls, tokens } = answer
  const toolCalls = calls.map(({ name, arguments: input }, position) => ({
    id: `call-${position}`,
    ...(chosen.calls === 'same index' ? { index: 0 } : {}),
    type: 'function',
    function: { name, arguments: chosen.argumentsAs === 'object' ? JSON.parse(input) : input },
  }))
  const message = {
    ...roleOf(chosen, true),
    content:
      chosen.content === 'parts'
        ? texts.map((part) => ({ type: 'text', text: part }))
        : contentOf(texts.join(''), chosen),
    ...(reasoning.length === 0 ? {} : reasoningOf(reasoning.join(''), chosen)),
    ...(calls.length === 0 ? {} : { tool_calls: toolCalls }),
  }
  const usage = tokens === undefined ? undefined : usageOf(tokens)
  const inChoice = usage !== undefined && chosen.usage === 'in the choice'
  const choice = { message, finish_reason: calls.length > 0 ? 'tool_calls' : 'stop', ...(inChoice ? { usage } : {}) }
  return { ...chunkOf(chosen, choice, usage === undefined || inChoice ? {} : { usage }), object: 'chat.completion' }
}

interface Rendered {
  readonly text: string
  readonly isComplete: boolean
}

const ERROR = { message: 'Provider disconnected', code: 502 }

function errorBodies(kind: Fault['kind'], base: Fields): Fields | Fields[] | undefined {
  switch (kind) {
    case 'error':
      return { error: ERROR }
    case 'error text':
      return { error: 'out of memory' }
    case 'error list':
      return { ...base, error: [ERROR] }
    case 'error beside choices':
      return { ...base, error: ERROR }
    case 'error and usage':
      return { ...base, choices: [], usage: usageOf([1, 2]), error: ERROR }
    case 'error in the choice':
      return { ...base, choices: [{ index: 0, delta: { content: '' }, finish_reason: 'error', error: ERROR }] }
    case 'finish error':
      return { ...base, choices: [{ index: 0, delta: {}, finish_reason: 'error' }] }
    case 'list of errors':
      return [{ error: ERROR }]
    case 'object error':
      return { object: 'error', message: 'Out of memory', code: 500 }
    default:
      return undefined
  }
}

function renderEvents(chunks: readonly Fields[], frame: Framing, chosenFault: Fault): Rendered {
  const end = frame.lineEnd
  const isFaulty = chosenFault.kind !== 'none'
  // A cut behind the finish reason would be no cut.
  const finish = chunks.findIndex(({ choices }) => /"finish_reason":"\w/.test(JSON.stringify(choices) ?? ''))
  const count = isFaulty ? Math.floor(chosenFault.share * finish) : chunks.length
  const noise = frame.noise === '' ? '' : frame.noise.split('|').join(end) + end + end
  let body = frame.hasBom ? '\uFEFF' : ''
  for (const chunk of chunks.slice(0, count)) body += noise + eventOf(chunk, frame)
  if (!isFaulty) {
    const done = frame.done === 'none' ? '' : `data:${frame.done}${end}${end}`
    return { text: body + noise + done, isComplete: true }
  }
  const last = chunks[count] ?? {}
  const errorBody = errorBodies(chosenFault.kind, last)
  if (errorBody !== undefined) body += `${eventOf(errorBody, frame)}data: [DONE]${end}${end}`
  else if (chosenFault.kind === 'error event') body += `event: error${end}data: {"message":"Overloaded"}${end}${end}`
  else if (chosenFault.kind === 'not json') body += `data: {"choices":[{"delta":${end}${end}data: [DONE]${end}${end}`
  else body += `data: {"id":"chatcmpl-1","choices":[{"index":0,"del`
  return { text: body, isComplete: false }
}

function eventOf(value: unknown, { field, trailing, isPretty, lineEnd }: Framing): string {
  const json = exactNumbers(JSON.stringify(value, null, isPretty ? 1 : 0))
  const lines = json.split('\n').map((line) => `${field}${line}${trailing}`)
  return lines.join(lineEnd) + lineEnd + lineEnd
}

function renderJson(answer: Logical, chosen: Style, chosenFault: Fault): Rendered {
  const whole = wholeOf(answer, chosen)
  const json = exactNumbers(JSON.stringify(whole))
  if (chosenFault.kind === 'none') return { text: json, isComplete: true }
  const base = { ...whole, choices: [] }
  const errorBody = errorBodies(chosenFault.kind, base)
  if (errorBody !== undefined) return { text: JSON.stringify(errorBody), isComplete: false }
  return { text: json.slice(0, Math.floor(chosenFault.share * (json.length - 1))), isComplete: false }
}

function exactNumbers(json: string): string {
  return json.replaceAll('"@12345678901234567890@"', '12345678901234567890')
}

function encode(bytes: Buffer, coding: string): Buffer {
  switch (coding) {
    case 'gzip':
    case 'x-gzip':
      return gzipSync(bytes)
    case 'br':
      return brotliCompressSync(bytes)
    case 'deflate':
      return deflateSync(bytes)
    case 'raw deflate':
      return deflateRawSync(bytes)
    case 'zstd':
      return zstdCompressSync(bytes)
    case 'gzip, br':
      return brotliCompressSync(gzipSync(bytes))
    default:
      return bytes
  }
}

function split(bytes: Buffer, positions: readonly number[]): Buffer[] {
  const ends = [...new Set(positions.map((position) => position % (bytes.length + 1)))].sort((a, b) => a - b)
  const starts = [0, ...ends]
  return starts.map((start, index) => bytes.subarray(start, ends[index] ?? bytes.length))
}
