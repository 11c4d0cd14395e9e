import { SseParser } from 'purser/internal'
import { escapeControls } from '../../app/escape-controls.ts'
import type { Command } from '../command.ts'
import { connectReadOnly } from '../connection.ts'
import { EXIT } from '../exit-codes.ts'
import { API_FLAGS, getText } from '../flags.ts'
import { applyStyle, print, type Terminal } from '../terminal.ts'

/** Limit for one event of the stream. */
const MAX_EVENT_BYTES = 1_048_576

interface TailEvent {
  readonly at: string
  readonly user: string
  readonly type: string
  readonly detail: string
}

export const tail: Command = {
  name: 'tail',
  operands: '',
  operandCount: [0, 0],
  summary: 'Prints events as they occur, until Ctrl-C.',
  flags: {
    ...API_FLAGS,
    user: { type: 'string', help: 'only events of this user' },
    types: { type: 'string', help: 'only these event types, separated by commas' },
    after: { type: 'string', help: 'start after the event with this id' },
  },
  async run(invocation) {
    const { flags, terminal } = invocation
    await using connection = await connectReadOnly(invocation)
    const after = getText(flags.after)
    const response = await connection.stream(['events'], {
      query: { user: getText(flags.user), types: getText(flags.types) },
      headers: after === undefined ? {} : { 'last-event-id': after },
      signal: terminal.signal,
    })
    try {
      for await (const { event, data } of readEvents(response)) {
        if (event === 'ledger') print(terminal, flags.json === true ? data : formatEvent(terminal, JSON.parse(data)))
      }
    } catch (error) {
      // Ctrl-C is how this command ends.
      if (error !== terminal.signal.reason || (error as Error).name !== 'AbortError') throw error
      return EXIT.interrupted
    }
    return EXIT.ok
  },
}

async function* readEvents(response: Response): AsyncIterable<{ readonly event: string; readonly data: string }> {
  const parser = new SseParser({ maxEventBytes: MAX_EVENT_BYTES })
  for await (const bytes of response.body ?? []) yield* parser.push(bytes as Uint8Array)
}

function formatEvent(terminal: Terminal, { at, user, type, detail }: TailEvent): string {
  const [time, label] = [applyStyle(terminal, 'dim', at), applyStyle(terminal, 'bold', type)]
  return `${time} ${escapeControls(user)} ${label} ${escapeControls(detail)}`
}
