import type Anthropic from '@anthropic-ai/sdk'
import type OpenAI from 'openai'
import type { Call, Conversation, Part, Tool, Turn } from './conversation.ts'

/*
 * A conversation in each of the formats, written by hand from their documentation; the types of the official kits check
 * the names of the fields.
 */

type Chat = Omit<OpenAI.ChatCompletionCreateParamsNonStreaming, 'stream'> & { readonly stream: boolean }
type ChatMessage = OpenAI.ChatCompletionMessageParam
type Response = Omit<OpenAI.Responses.ResponseCreateParamsNonStreaming, 'stream'> & { readonly stream: boolean }
type Item = OpenAI.Responses.ResponseInputItem
type Message = Anthropic.MessageCreateParams

type Undefinable<T> = { readonly [Name in keyof T]: T[Name] | undefined }

/** The same object without members that are undefined. */
function defined<T extends object>(value: Undefinable<T>): T {
  return JSON.parse(JSON.stringify(value)) as T
}

export function writeChat(value: Conversation): Chat {
  const { tools, toolChoice, schema, stop } = value
  const instructions: ChatMessage[] =
    value.instructions === undefined ? [] : [{ role: 'system', content: value.instructions }]
  return defined<Chat>({
    model: 'm',
    messages: [...instructions, ...value.turns.flatMap(chatMessages)],
    max_tokens: value.maxTokens,
    temperature: value.temperature,
    top_p: value.topP,
    ...(stop.length === 0 ? {} : { stop: [...stop] }),
    ...(tools.length === 0 ? {} : { tools: tools.map(chatTool) }),
    ...(toolChoice === undefined
      ? {}
      : { tool_choice: typeof toolChoice === 'string' ? toolChoice : { type: 'function', function: toolChoice } }),
    ...(value.parallelToolCalls === undefined ? {} : { parallel_tool_calls: value.parallelToolCalls }),
    ...(schema === undefined
      ? {}
      : {
          response_format: {
            type: 'json_schema',
            json_schema: { name: 'output', schema: { ...schema }, strict: true },
          },
        }),
    reasoning_effort: value.effort,
    metadata: value.metadata,
    ...(value.user === undefined ? {} : { safety_identifier: value.user }),
    ...(value.stream ? { stream: true, stream_options: { include_usage: true } } : { stream: false }),
  })
}

function chatTool({ name, description, schema, strict }: Tool): OpenAI.ChatCompletionFunctionTool {
  return defined<OpenAI.ChatCompletionFunctionTool>({
    type: 'function',
    function: {
      name,
      parameters: { ...schema },
      ...(description === undefined ? {} : { description }),
      ...(strict === undefined ? {} : { strict }),
    },
  })
}

function chatMessages(turn: Turn): ChatMessage[] {
  if (turn.kind === 'instruction') return [{ role: turn.role, content: turn.text }]
  if (turn.kind === 'user') return [userMessage(turn.parts)]
  const { reasoning, signature, text, calls } = turn
  // OpenAI's kit has neither; `reasoning_content` is DeepSeek's, `reasoning_details` OpenRouter's.
  const said: OpenAI.ChatCompletionAssistantMessageParam & {
    reasoning_content?: string
    reasoning_details?: object[]
  } = {
    role: 'assistant',
    content: text ?? null,
    ...(reasoning === undefined ? {} : { reasoning_content: reasoning }),
    ...(signature === undefined ? {} : { reasoning_details: [{ type: 'reasoning.text', text: reasoning, signature }] }),
    ...(calls.length === 0 ? {} : { tool_calls: calls.map(chatCall) }),
  }
  const outputs = calls.map(
    ({ id, output }): ChatMessage => ({ role: 'tool', tool_call_id: id, content: textOf(output) }),
  )
  const files = calls.flatMap(({ output }) => output.filter((part) => part.kind !== 'text'))
  return [said, ...outputs, ...(files.length === 0 ? [] : [userMessage(files)])]
}

function chatCall({ id, name, input }: Call): OpenAI.ChatCompletionMessageToolCall {
  return { id, type: 'function', function: { name, arguments: JSON.stringify(input) } }
}

/** Texts of a tool's output in lines. */
export function textOf(parts: readonly Part[]): string {
  return parts.flatMap((part) => (part.kind === 'text' ? [part.text] : [])).join('\n')
}

function userMessage(parts: readonly Part[]): ChatMessage {
  const [only] = parts
  if (parts.length === 1 && only?.kind === 'text') return { role: 'user', content: only.text }
  return { role: 'user', content: parts.map(chatPart) }
}

function chatPart(part: Part): OpenAI.ChatCompletionContentPart {
  switch (part.kind) {
    case 'text':
      return { type: 'text', text: part.text }
    case 'image': {
      const { url, detail } = part
      const image = { url, detail }
      return { type: 'image_url', image_url: defined<OpenAI.ChatCompletionContentPartImage.ImageURL>(image) }
    }
    case 'file':
      return { type: 'file', file: { filename: part.name, file_data: `data:application/pdf;base64,${part.data}` } }
    case 'audio':
      return { type: 'input_audio', input_audio: { data: part.data, format: part.format } }
  }
}

/** `order` permutes the text and the calls of each answer, which say the same in any order. */
export function writeResponse(value: Conversation, order: (count: number) => readonly number[]): Response {
  const { tools, toolChoice, schema } = value
  return defined<Response>({
    model: 'm',
    ...(value.instructions === undefined ? {} : { instructions: value.instructions }),
    input: value.turns.flatMap((turn) => responseItems(turn, order)),
    max_output_tokens: value.maxTokens,
    temperature: value.temperature,
    top_p: value.topP,
    ...(tools.length === 0 ? {} : { tools: tools.map(responseTool) }),
    ...(toolChoice === undefined
      ? {}
      : { tool_choice: typeof toolChoice === 'string' ? toolChoice : { type: 'function', ...toolChoice } }),
    parallel_tool_calls: value.parallelToolCalls,
    ...(schema === undefined
      ? {}
      : { text: { format: { type: 'json_schema', name: 'output', schema: { ...schema }, strict: true } } }),
    ...(value.effort === undefined ? {} : { reasoning: { effort: value.effort } }),
    metadata: value.metadata,
    ...(value.user === undefined ? {} : { safety_identifier: value.user }),
    stream: value.stream,
  })
}

/** A function without a rule for strictness says null. */
function responseTool({
  name,
  description,
  schema,
  strict = null as unknown as undefined,
}: Tool): OpenAI.Responses.FunctionTool {
  return {
    type: 'function',
    name,
    ...(description === undefined ? {} : { description }),
    parameters: { ...schema },
    strict: strict ?? null,
  }
}

function responseItems(turn: Turn, order: (count: number) => readonly number[]): Item[] {
  if (turn.kind === 'instruction') return [{ role: turn.role, content: turn.text }]
  if (turn.kind === 'user') return [{ role: 'user', content: turn.parts.map(responsePart) }]
  const { reasoning, signature, text, calls } = turn
  const sealed = signature === undefined ? {} : { encrypted_content: `reasoning.text:${signature}` }
  const thoughts: Item[] =
    reasoning === undefined
      ? []
      : [{ type: 'reasoning', id: 'rs_1', summary: [{ type: 'summary_text', text: reasoning }], ...sealed }]
  const said: Item[] = [
    ...(text === undefined ? [] : [{ role: 'assistant' as const, content: text }]),
    ...calls.map(
      ({ id, name, input }): Item => ({ type: 'function_call', call_id: id, name, arguments: JSON.stringify(input) }),
    ),
  ]
  const ordered = calls.length === 0 ? said : inOrderOfCalls(said, order(said.length))
  // Reasoning behind a text without a call would begin another message.
  const start = ordered[0] !== undefined && isCall(ordered[0]) ? 1 : 0
  const outputs = calls.map(
    ({ id, output }): Item => ({ type: 'function_call_output', call_id: id, output: output.map(outputPart) }),
  )
  return [...ordered.slice(0, start), ...thoughts, ...ordered.slice(start), ...outputs]
}

/** In another order, but for the calls among themselves. */
function inOrderOfCalls(items: readonly Item[], order: readonly number[]): Item[] {
  const calls = items.filter(isCall)
  return order.map((index) => {
    const item = items[index] as Item
    return isCall(item) ? (calls.shift() as Item) : item
  })
}

function isCall(item: Item): boolean {
  return 'type' in item && item.type === 'function_call'
}

function outputPart(part: Part): OpenAI.Responses.ResponseFunctionCallOutputItem {
  return part.kind === 'text' ? { type: 'input_text', text: part.text } : responseImage(part)
}

function responseImage(part: Part): OpenAI.Responses.ResponseInputImageContent {
  const { url, detail } = part as Extract<Part, { kind: 'image' }>
  return defined<OpenAI.Responses.ResponseInputImageContent>({ type: 'input_image', image_url: url, detail })
}

function responsePart(part: Part): OpenAI.Responses.ResponseInputContent {
  switch (part.kind) {
    case 'text':
      return { type: 'input_text', text: part.text }
    case 'image':
      return responseImage(part) as OpenAI.Responses.ResponseInputImage
    case 'file':
      return { type: 'input_file', filename: part.name, file_data: `data:application/pdf;base64,${part.data}` }
    case 'audio':
      // The kit's types have it in one of two lists only.
      return { type: 'input_audio', input_audio: { data: part.data, format: part.format } } as never
  }
}

/** Without audio, which Anthropic's format does not have. */
export function writeMessage(value: Conversation): Message {
  const { tools, toolChoice, schema, stop, effort } = value
  const choice = messageToolChoice(toolChoice, value.parallelToolCalls)
  return defined<Message>({
    model: 'm',
    ...(value.instructions === undefined ? {} : { system: value.instructions }),
    messages: messagesOf(value.turns),
    max_tokens: value.maxTokens,
    ...(value.temperature === undefined ? {} : { temperature: value.temperature }),
    ...(value.topP === undefined ? {} : { top_p: value.topP }),
    ...(stop.length === 0 ? {} : { stop_sequences: [...stop] }),
    ...(tools.length === 0 ? {} : { tools: tools.map(messageTool) }),
    ...(choice === undefined ? {} : { tool_choice: choice }),
    ...(schema === undefined && effort === undefined
      ? {}
      : { output_config: { ...(schema === undefined ? {} : { format: { type: 'json_schema', schema } }), effort } }),
    ...(value.metadata === undefined ? {} : { metadata: { ...value.metadata } }),
    stream: value.stream,
  } as Message)
}

function messageToolChoice(
  choice: Conversation['toolChoice'],
  parallel: boolean | undefined,
): Anthropic.ToolChoice | undefined {
  if (choice === undefined) return undefined
  const rule = parallel === false ? { disable_parallel_tool_use: true } : {}
  if (typeof choice !== 'string') return { type: 'tool', name: choice.name, ...rule }
  if (choice === 'none') return { type: 'none' }
  return { type: choice === 'required' ? 'any' : 'auto', ...rule }
}

function messageTool({ name, description, schema, strict }: Tool): Anthropic.Tool {
  return {
    name,
    input_schema: schema as Anthropic.Tool.InputSchema,
    ...(description === undefined ? {} : { description }),
    ...(strict === undefined ? {} : { strict }),
  }
}

function messagesOf(turns: readonly Turn[]): Anthropic.MessageParam[] {
  return turns.flatMap((turn): Anthropic.MessageParam[] => {
    if (turn.kind === 'instruction') return [{ role: 'system', content: turn.text } as never]
    if (turn.kind === 'user') return [{ role: 'user', content: turn.parts.flatMap(messageBlock) }]
    const { reasoning, signature = '', text, calls } = turn
    const blocks: Anthropic.ContentBlockParam[] = [
      ...(reasoning === undefined ? [] : [{ type: 'thinking' as const, thinking: reasoning, signature }]),
      ...(text === undefined ? [] : [{ type: 'text' as const, text }]),
      ...calls.map(({ id, name, input }) => ({ type: 'tool_use' as const, id, name, input })),
    ]
    const results = calls.map(
      ({ id, output }): Anthropic.ToolResultBlockParam => ({
        type: 'tool_result',
        tool_use_id: id,
        content: output.flatMap(messageBlock) as Anthropic.ToolResultBlockParam['content'] & unknown[],
      }),
    )
    const answers: Anthropic.MessageParam[] = results.length === 0 ? [] : [{ role: 'user', content: results }]
    return [{ role: 'assistant', content: blocks }, ...answers]
  })
}

function messageBlock(
  part: Part,
): (Anthropic.TextBlockParam | Anthropic.ImageBlockParam | Anthropic.DocumentBlockParam)[] {
  switch (part.kind) {
    case 'text':
      return [{ type: 'text', text: part.text }]
    case 'image': {
      const inline = /^data:(image\/png);base64,(.*)$/.exec(part.url)
      if (inline === null) return [{ type: 'image', source: { type: 'url', url: part.url } }]
      return [{ type: 'image', source: { type: 'base64', media_type: 'image/png', data: inline[2] ?? '' } }]
    }
    case 'file': {
      const source = { type: 'base64' as const, media_type: 'application/pdf' as const, data: part.data }
      return [{ type: 'document', title: part.name, source }]
    }
    case 'audio':
      return []
  }
}
