/*
 * Request bodies that are cheap to send and were expensive to read. `npm test` tries a few of them; what each of them
 * costs on every route is the table of `routes/stalls.test.ts`.
 */

const MESSAGES = '"messages":[{"role":"user","content":"hi"}]'
const many = (count: number, create: (index: number) => string): string =>
  Array.from({ length: count }, (_, index) => create(index)).join(',')
const LARGE_BYTES = 20_000_000
const fill = (unit: string): string => unit.repeat(Math.floor(LARGE_BYTES / Buffer.byteLength(unit)))
const long = 'z'.repeat(5_000_000)

/** Bodies with a hostile structure: many fields, values, levels, long names. */
export const STRUCTURES: Readonly<Record<string, () => string>> = {
  'a million fields': () => `{${MESSAGES},${many(1_000_000, (index) => `"f${index}":1`)}}`,
  'a million values': () => `[${many(1_000_000, () => '1')}]`,
  'a million levels': () => '['.repeat(1_000_000),
  'a million levels, closed': () => `{${MESSAGES},"x":${'['.repeat(500_000)}${']'.repeat(500_000)}}`,
  '900 levels and 90,000 values': () =>
    `{${MESSAGES},"x":${'['.repeat(900)}${many(90_000, () => '1')}${']'.repeat(900)}}`,
  '90,000 fields of a field': () => `{${MESSAGES},"x":{${many(90_000, (index) => `"f${index}":1`)}}}`,
  '90,000 fields and a long number': () =>
    `{${MESSAGES},"seed":12345678901234567890,"x":{${many(90_000, (index) => `"g${index}":1`)}}}`,
  '90,000 long numbers': () => `{${MESSAGES},"x":[${many(90_000, () => '12345678901234567890')}]}`,
  '90,000 escaped names': () => `{${MESSAGES},"x":{${many(90_000, (index) => `"\\u0041${index}":1`)}}}`,
  '90,000 messages': () => `{"messages":[${many(30_000, () => '{"role":"user","content":"x"}')}]}`,
  '90,000 parts': () =>
    `{"messages":[{"role":"user","content":[${many(30_000, () => '{"type":"text","text":"x"}')}]}]}`,
  '90,000 fields of metadata': () => `{${MESSAGES},"metadata":{${many(90_000, (index) => `"f${index}":"1"`)}}}`,
  '90,000 parameters': () => `{"parameters":{${many(90_000, (index) => `"f${index}":1`)}}}`,
  '90,000 peaks': () => `{"peaks":{${many(90_000, (index) => `"f${index}":1`)}}}`,
  'a name of 5 MB': () => `{${MESSAGES},"${long}":1}`,
  'a model of 5 MB': () => `{${MESSAGES},"model":"${long}"}`,
  'texts of 5 MB': () => `{"text":"${long}","reason":"r","timeZone":"${long}","action":"${long}","phase":"${long}"}`,
  'white space of 20 MB': () => `{${MESSAGES}${fill(' ')}}`,
  'a number of 5 MB': () => `{${MESSAGES},"seed":${'1'.repeat(5_000_000)}}`,
}

/** JSON texts of 20 MB without their quotes, as a message or as any other text. */
export const TEXTS: Readonly<Record<string, () => string>> = {
  ascii: () => fill('z'),
  'escaped quotes': () => fill('\\"'),
  'escaped characters': () => fill('\\u00e9'),
  'escaped emojis': () => fill('\\ud83d\\ude00'),
  'halves of characters': () => fill('\\ud800'),
  'characters of two bytes': () => fill('é'),
  'characters of three bytes': () => fill('語'),
  'ascii and one emoji': () => `${fill('z').slice(8)}😀`,
  'line breaks': () => fill('\\n'),
}

/** The body with which a route reads this text. */
export function wrapText(path: string, text: string): string {
  switch (path) {
    case '/v1/chat/completions':
      return `{"messages":[{"role":"user","content":"${text}"}]}`
    case '/v1/messages':
    case '/v1/messages/count_tokens':
      return `{"model":"auto","max_tokens":9,"messages":[{"role":"user","content":"${text}"}]}`
    case '/v1/responses':
      return `{"input":[{"role":"user","content":[{"type":"input_text","text":"${text}"}]}]}`
    default:
      return `{"model":"auto","input":"${text}","text":"${text.slice(0, 9)}"}`
  }
}

/** A conversation of 20 MB in 20,000 messages. */
export function wrapTexts(path: string): string {
  const text = `${'語 \\"quoted\\" and \\n '.repeat(40)}`
  const count = Math.floor(LARGE_BYTES / (Buffer.byteLength(text) + 60))
  const messages = many(count, (index) => `{"role":"${index % 2 === 0 ? 'user' : 'assistant'}","content":"${text}"}`)
  return path === '/v1/responses'
    ? `{"input":[${messages}]}`
    : `{"model":"auto","max_tokens":9,"messages":[${messages}]}`
}

/** A tool call whose arguments are 20 MB of quotes. */
export function wrapToolCall(path: string): string {
  const quotes = fill('\\"')
  if (path === '/v1/messages') {
    const call = `{"type":"tool_use","id":"call-1","name":"f","input":{"x":"${quotes}"}}`
    const result = '{"type":"tool_result","tool_use_id":"call-1","content":"ok"}'
    return `{"model":"auto","max_tokens":9,"messages":[{"role":"assistant","content":[${call}]},{"role":"user","content":[${result}]}]}`
  }
  if (path === '/v1/responses') {
    const call = `{"type":"function_call","call_id":"call-1","name":"f","arguments":"${quotes}"}`
    return `{"input":[${call},{"type":"function_call_output","call_id":"call-1","output":"ok"}]}`
  }
  const call = `{"id":"call-1","type":"function","function":{"name":"f","arguments":"${quotes}"}}`
  return `{"messages":[{"role":"assistant","tool_calls":[${call}]},{"role":"tool","tool_call_id":"call-1","content":"ok"}]}`
}
