import fc from 'fast-check'

/* What a request can say in every format, apart from how it is written. */

export type Part =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'image'; readonly url: string; readonly detail?: 'low' | 'high' | 'auto' | undefined }
  | { readonly kind: 'file'; readonly name: string; readonly data: string }
  | { readonly kind: 'audio'; readonly data: string; readonly format: 'wav' | 'mp3' }

export interface Call {
  readonly id: string
  readonly name: string
  readonly input: Readonly<Record<string, unknown>>
  readonly output: readonly Extract<Part, { kind: 'text' | 'image' }>[]
}

export type Turn =
  | { readonly kind: 'user'; readonly parts: readonly Part[] }
  | { readonly kind: 'instruction'; readonly role: 'system' | 'developer'; readonly text: string }
  | {
      readonly kind: 'assistant'
      readonly reasoning: string | undefined
      /** By its provider; undefined without reasoning. */
      readonly signature: string | undefined
      readonly text: string | undefined
      readonly calls: readonly Call[]
    }

export interface Tool {
  readonly name: string
  readonly description: string | undefined
  readonly schema: Readonly<Record<string, unknown>>
  readonly strict: boolean | undefined
}

export type ToolChoice = 'auto' | 'none' | 'required' | { readonly name: string }

export interface Conversation {
  readonly instructions: string | undefined
  readonly turns: readonly Turn[]
  readonly tools: readonly Tool[]
  /** Undefined without tools. */
  readonly toolChoice: ToolChoice | undefined
  readonly parallelToolCalls: boolean | undefined
  readonly schema: Readonly<Record<string, unknown>> | undefined
  readonly effort: 'low' | 'medium' | 'high' | 'xhigh' | 'max' | undefined
  readonly maxTokens: number
  readonly temperature: number | undefined
  readonly topP: number | undefined
  readonly stop: readonly string[]
  readonly metadata: Readonly<Record<string, string>> | undefined
  readonly user: string | undefined
  readonly stream: boolean
}

const text: fc.Arbitrary<string> = fc
  .string({ unit: 'binary', minLength: 1, maxLength: 24 })
  .map((value) => value.toWellFormed().trim())
  .filter((value) => value !== '')
const base64 = fc.uint8Array({ minLength: 3, maxLength: 12 }).map((bytes) => Buffer.from(bytes).toString('base64'))
const name = fc.stringMatching(/^[a-z][a-z_]{0,11}$/)
const optional = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(arbitrary, { nil: undefined })

const textPart = fc.record({ kind: fc.constant('text' as const), text })
const imagePart = fc.record({
  kind: fc.constant('image' as const),
  url: fc.oneof(
    base64.map((data) => `data:image/png;base64,${data}`),
    fc.stringMatching(/^[a-z0-9]{1,12}$/).map((path) => `https://example.com/${path}`),
  ),
  detail: optional(fc.constantFrom('low' as const, 'high' as const, 'auto' as const)),
})
const part: fc.Arbitrary<Part> = fc.oneof(
  { weight: 3, arbitrary: textPart },
  imagePart,
  fc.record({ kind: fc.constant('file' as const), name: name.map((stem) => `${stem}.pdf`), data: base64 }),
  fc.record({ kind: fc.constant('audio' as const), data: base64, format: fc.constantFrom('wav', 'mp3') }),
)

const schema = fc.record({
  type: fc.constant('object'),
  properties: fc.dictionary(name, fc.constant({ type: 'string' }), { maxKeys: 3 }),
  additionalProperties: fc.constant(false),
})
const tools: fc.Arbitrary<readonly Tool[]> = fc.uniqueArray(
  fc.record({ name, description: optional(text), schema, strict: optional(fc.boolean()) }),
  { selector: (tool) => tool.name, maxLength: 3 },
)

/** Ids are unique in a conversation. */
let lastId = 0
const call: fc.Arbitrary<Call> = fc
  .record({
    name,
    input: fc.dictionary(name, fc.oneof(text, fc.integer(), fc.boolean(), fc.constant(null)), { maxKeys: 3 }),
    output: fc.array(fc.oneof({ weight: 3, arbitrary: textPart }, imagePart), { minLength: 1, maxLength: 3 }),
  })
  .map((value) => ({ ...value, id: `call_${++lastId}` }))

const userTurn = fc.record({
  kind: fc.constant('user' as const),
  parts: fc.array(part, { minLength: 1, maxLength: 4 }),
})
const answer = fc
  .record({
    kind: fc.constant('assistant' as const),
    reasoning: optional(text),
    signature: optional(base64),
    text: optional(text),
    calls: fc.array(call, { maxLength: 3 }),
  })
  .filter((turn) => turn.text !== undefined || turn.calls.length > 0)
  .map((turn) => ({ ...turn, signature: turn.reasoning === undefined ? undefined : turn.signature }))
const instruction = fc.record({
  kind: fc.constant('instruction' as const),
  role: fc.constantFrom('system' as const, 'developer' as const),
  text,
})

/** Turns of the user and of the assistant alternate; instructions may stand before those of the user. */
const turns: fc.Arbitrary<readonly Turn[]> = fc
  .tuple(userTurn, fc.array(fc.tuple(answer, optional(instruction), userTurn), { maxLength: 4 }))
  .map(([first, rest]) => [
    first,
    ...rest.flatMap(([said, order, asked]): Turn[] => [said, ...(order === undefined ? [] : [order]), asked]),
  ])

export const conversation: fc.Arbitrary<Conversation> = fc
  .record({
    instructions: optional(text),
    turns,
    tools,
    choice: optional(fc.constantFrom('auto' as const, 'none' as const, 'required' as const, { name: '' })),
    parallelToolCalls: optional(fc.boolean()),
    schema: optional(schema),
    effort: optional(
      fc.constantFrom('low' as const, 'medium' as const, 'high' as const, 'xhigh' as const, 'max' as const),
    ),
    maxTokens: fc.integer({ min: 1, max: 4_000 }),
    temperature: optional(fc.constantFrom(0, 0.5, 1)),
    topP: optional(fc.constantFrom(0.1, 0.9)),
    stop: fc.uniqueArray(text, { maxLength: 3 }),
    metadata: optional(fc.dictionary(name, text, { minKeys: 1, maxKeys: 3 })),
    user: optional(name),
    stream: fc.boolean(),
  })
  .map(({ choice, ...value }) => ({ ...value, toolChoice: toolChoiceOf(choice, value.tools) }))

function toolChoiceOf(choice: ToolChoice | undefined, offered: readonly Tool[]): ToolChoice | undefined {
  const [first] = offered
  if (first === undefined || choice === undefined) return undefined
  return typeof choice === 'string' ? choice : { name: first.name }
}
