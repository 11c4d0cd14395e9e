import { SseParser } from 'purser/internal'
import { type Command, EXIT, GENERAL_FLAGS, REMOTE_FLAGS, SETTING_FLAGS, text } from '../command.ts'
import { connectToLook } from '../connection.ts'
import { print, safe, styled, type Terminal } from '../terminal.ts'

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
  summary: 'Prints events as they happen, until Ctrl-C.',
  takes: [0, 0],
  flags: {
    ...GENERAL_FLAGS,
    ...SETTING_FLAGS,
    ...REMOTE_FLAGS,
    user: { type: 'string', help: 'only of this user' },
    types: { type: 'string', help: 'only of these types, separated by commas' },
    after: { type: 'string', help: 'begin behind this event' },
  },
  async run(call) {
    const { flags, terminal } = call
    await using connection = await connectToLook(call)
    const after = text(flags.after)
    const response = await connection.open(['events'], {
      query: { user: text(flags.user), types: text(flags.types) },
      headers: after === undefined ? {} : { 'last-event-id': after },
      signal: terminal.interrupted,
    })
    const parser = new SseParser({ maxEventBytes: MAX_EVENT_BYTES })
    for await (const bytes of response.body ?? []) {
      for (const { event, data } of parser.push(bytes as Uint8Array)) {
        if (event === 'ledger') print(terminal, flags.json === true ? data : lineOf(terminal, JSON.parse(data)))
      }
    }
    return EXIT.ok
  },
}

function lineOf(terminal: Terminal, { at, user, type, detail }: TailEvent): string {
  return `${styled(terminal, 'dim', at)} ${safe(user)} ${styled(terminal, 'bold', type)} ${safe(detail)}`
}
