import { encodeHeader } from '../../http/headers.ts'
import type { Command } from '../command.ts'
import { connect } from '../connection.ts'
import { UsageError } from '../errors.ts'
import { EXIT } from '../exit-codes.ts'
import { API_FLAGS, getText, REASON_FLAG } from '../flags.ts'
import { print, printJson } from '../terminal.ts'

export const set: Command = {
  name: 'set',
  operands: 'ID KEY=VALUE…',
  operandCount: [2, 64],
  summary: "Changes a user's settings: provider=openai model=gpt-5 parameters.temperature=0.2; KEY= clears.",
  flags: { ...API_FLAGS, ...REASON_FLAG },
  async run(invocation) {
    const { terminal, flags, operands } = invocation
    const [id = '', ...assignments] = operands
    const body = parsePatch(assignments)
    const reason = getText(flags.reason)
    if (reason !== undefined && /\p{Cc}/u.test(reason)) throw new UsageError('--reason must be one line of text.')
    await using connection = await connect(invocation)
    const headers = reason === undefined ? {} : { 'x-purser-reason': encodeHeader(reason) }
    const settings = await connection.request('PATCH', ['users', id, 'runtime'], { body, headers })
    if (flags.json === true) printJson(terminal, settings)
    else print(terminal, JSON.stringify(settings, null, 2))
    return EXIT.ok
  },
}

/** `a.b=1` becomes `{ a: { b: 1 } }`. A value is JSON if it parses, else text; an empty value is null, which clears. */
function parsePatch(assignments: readonly string[]): Record<string, unknown> {
  const patch: Record<string, unknown> = {}
  for (const assignment of assignments) {
    const equals = assignment.indexOf('=')
    if (equals < 1) throw new UsageError(`'${assignment}' is not KEY=VALUE.`)
    const path = assignment.slice(0, equals).split('.')
    const last = path.pop() ?? ''
    let target = patch
    for (const key of path) {
      const current = Object.hasOwn(target, key) ? target[key] : undefined
      const next = typeof current === 'object' && current !== null ? (current as Record<string, unknown>) : {}
      defineField(target, key, next)
      target = next
    }
    defineField(target, last, parseValue(assignment.slice(equals + 1)))
  }
  return patch
}

/** Unlike an assignment, it also sets `__proto__` as an ordinary field. */
function defineField(target: Record<string, unknown>, key: string, value: unknown): void {
  Object.defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true })
}

function parseValue(text: string): unknown {
  if (text === '') return null
  try {
    return JSON.parse(text) as unknown
  } catch {
    return text
  }
}
