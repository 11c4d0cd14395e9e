/** A small chat completion as upstreams send it. */
export const COMPLETION: string = JSON.stringify({
  id: 'chatcmpl-bench',
  object: 'chat.completion',
  created: 1_700_000_000,
  model: 'm',
  choices: [{ index: 0, message: { role: 'assistant', content: 'Hello there.' }, finish_reason: 'stop' }],
  usage: { prompt_tokens: 10, completion_tokens: 3, total_tokens: 13 },
})

const RESPONSE = JSON.stringify({
  id: 'resp_bench',
  object: 'response',
  created_at: 1_700_000_000,
  status: 'completed',
  model: 'm',
  output: [
    {
      id: 'msg_bench',
      type: 'message',
      role: 'assistant',
      status: 'completed',
      content: [{ type: 'output_text', text: 'Hello there.', annotations: [], logprobs: [] }],
    },
  ],
  usage: { input_tokens: 10, output_tokens: 3, total_tokens: 13 },
})

const MESSAGE = JSON.stringify({
  id: 'msg_bench',
  type: 'message',
  role: 'assistant',
  model: 'm',
  content: [{ type: 'text', text: 'Hello there.' }],
  stop_reason: 'end_turn',
  stop_sequence: null,
  usage: { input_tokens: 10, output_tokens: 3 },
})

/** The answer in the format of an endpoint. */
export function answerOf(path: string): string {
  if (path.endsWith('/responses')) return RESPONSE
  return path.endsWith('/messages') ? MESSAGE : COMPLETION
}

export const CHUNKS_PER_SECOND = 20

const MARK = 'sent-at '

/** One event of a stream. Its content is the time at which it was sent, epoch ms. */
export function formatChunk(sentAt: number): string {
  const delta = { content: `${MARK}${sentAt.toFixed(3)} ` }
  const chunk = {
    id: 'chatcmpl-bench',
    object: 'chat.completion.chunk',
    created: 1_700_000_000,
    model: 'm',
    choices: [{ index: 0, delta, finish_reason: null }],
  }
  return `data: ${JSON.stringify(chunk)}\n\n`
}

/** The times in a piece of a stream at which its chunks were sent. */
export function sentTimes(text: string): number[] {
  const times: number[] = []
  for (let at = text.indexOf(MARK); at !== -1; at = text.indexOf(MARK, at + 1)) {
    const end = text.indexOf(' ', at + MARK.length)
    if (end !== -1) times.push(Number(text.slice(at + MARK.length, end)))
  }
  return times
}
