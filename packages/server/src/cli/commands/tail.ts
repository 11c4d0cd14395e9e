import { type Command, EXIT, GENERAL_FLAGS, REMOTE_FLAGS, SETTING_FLAGS, text } from '../command.ts'
import { connectToLook } from '../connection.ts'
import { createFrames } from '../sse-frames.ts'
import { print, safe, styled } from '../terminal.ts'

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
    const frames = createFrames(({ event, data }) => {
      if (event !== 'ledger') return
      if (flags.json === true) print(terminal, data)
      else {
        const { at, user, type, detail } = JSON.parse(data) as TailEvent
        print(
          terminal,
          `${styled(terminal, 'dim', at)} ${safe(user)} ${styled(terminal, 'bold', type)} ${safe(detail)}`,
        )
      }
    })
    const decoder = new TextDecoder()
    for await (const bytes of response.body ?? []) frames.push(decoder.decode(bytes as Uint8Array, { stream: true }))
    return EXIT.ok
  },
}
