import { headerBytes } from '../../http/header-text.ts'
import { type Command, EXIT, GENERAL_FLAGS, REASON, REMOTE_FLAGS, SETTING_FLAGS, text, UsageError } from '../command.ts'
import { connect } from '../connection.ts'
import { print, printJson } from '../terminal.ts'

export const set: Command = {
  name: 'set',
  operands: 'ID KEY=VALUE…',
  summary: 'Changes what a user runs on: provider=openai model=gpt-5 parameters.temperature=0.2; KEY= clears.',
  takes: [2, 64],
  flags: { ...GENERAL_FLAGS, ...SETTING_FLAGS, ...REMOTE_FLAGS, ...REASON },
  async run(call) {
    const [id = '', ...pairs] = call.operands
    const body = patchOf(pairs)
    const reason = text(call.flags.reason)
    if (reason !== undefined && /\p{Cc}/u.test(reason)) throw new UsageError('--reason is one line of text.')
    await using connection = await connect(call)
    const headers = reason === undefined ? {} : { 'x-purser-reason': headerBytes(reason) }
    const settings = await connection.call('PATCH', ['users', id, 'runtime'], { body, headers })
    if (call.flags.json === true) printJson(call.terminal, settings)
    else print(call.terminal, JSON.stringify(settings, null, 2))
    return EXIT.ok
  },
}

/** `a.b=1` is `{ a: { b: 1 } }`. Values are JSON where they are, else text; an empty one is null, which clears. */
export function patchOf(pairs: readonly string[]): Record<string, unknown> {
  const patch: Record<string, unknown> = {}
  for (const pair of pairs) {
    const equals = pair.indexOf('=')
    if (equals < 1) throw new UsageError(`'${pair}' is not KEY=VALUE.`)
    const steps = pair.slice(0, equals).split('.')
    const last = steps.pop() ?? ''
    let place = patch
    for (const step of steps) {
      const inner = Object.hasOwn(place, step) ? place[step] : undefined
      const next = typeof inner === 'object' && inner !== null ? (inner as Record<string, unknown>) : {}
      Object.defineProperty(place, step, { value: next, enumerable: true, configurable: true, writable: true })
      place = next
    }
    const value = readValue(pair.slice(equals + 1))
    Object.defineProperty(place, last, { value, enumerable: true, configurable: true, writable: true })
  }
  return patch
}

function readValue(text: string): unknown {
  if (text === '') return null
  try {
    return JSON.parse(text) as unknown
  } catch {
    return text
  }
}
