import { existsSync, statSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import {
  type Call,
  type Command,
  EXIT,
  type ExitCode,
  GENERAL_FLAGS,
  NotFoundError,
  REMOTE_FLAGS,
  SETTING_FLAGS,
  text,
  UsageError,
} from '../command.ts'
import { connect, openHere, requireLocal } from '../connection.ts'
import { type Survey, surveyExports } from '../export-file.ts'
import { importUsers, type UserReport } from '../import-users.ts'
import { createProgress } from '../progress.ts'
import { printJson, safe, say, type Terminal } from '../terminal.ts'

export const importFile: Command = {
  name: 'import',
  operands: 'FILE',
  summary: 'Takes in what purser export wrote, or with --user an old ai_responses.json; tells what was left out.',
  takes: [1, 1],
  flags: {
    ...GENERAL_FLAGS,
    ...SETTING_FLAGS,
    ...REMOTE_FLAGS,
    user: { type: 'string', help: 'whose answers an ai_responses.json holds' },
    force: { type: 'boolean', help: 'also into users that exist; what the file says replaces what they have' },
  },
  async run(call) {
    const { terminal, operands, flags } = call
    const path = resolve(terminal.directory, operands[0] ?? '')
    if (!existsSync(path)) throw new NotFoundError(`There is no file ${path}.`)
    if (statSync(path).isDirectory()) throw new UsageError(`${path} is a directory. Name the file itself.`)
    const survey = await surveyExports(path, terminal.interrupted)
    const user = text(flags.user)
    if (survey !== undefined) {
      if (user !== undefined) throw new UsageError('An export says itself whose it is: leave --user out.')
      return importExports(call, path, survey)
    }
    if (user !== undefined) return importAnswers(call, path, user)
    throw new UsageError(
      `${path} does not begin like what purser export writes. For an old ai_responses.json say whose it is: --user ID`,
    )
  },
}

async function importExports(call: Call, path: string, survey: Survey): Promise<ExitCode> {
  const { terminal, flags } = call
  await using connection = await connect(call)
  const progress = createProgress(terminal, 'Importing')
  const users: UserReport[] = []
  try {
    const order = { connection, path, survey, force: flags.force === true, signal: terminal.interrupted }
    for await (const report of importUsers(order, (rows) => progress.at(rows / survey.rows))) users.push(report)
  } finally {
    progress.end()
  }
  if (flags.json === true) printJson(terminal, { users })
  else for (const report of users) tell(terminal, report)
  if (users.some(({ exists }) => exists)) return EXIT.conflict
  return users.some(({ refused }) => refused.length > 0) ? EXIT.failed : EXIT.ok
}

function tell(terminal: Terminal, { user, exists, taken, left, refused }: UserReport): void {
  if (exists) {
    say(terminal, `${safe(user)}: exists here and was left alone. With --force what the file says replaces it.`)
    return
  }
  const counted = Object.entries(taken).map(([what, count]) => `${count} ${what}`)
  say(terminal, `${safe(user)}: ${counted.length === 0 ? 'nothing' : counted.join(', ')} taken in.`)
  for (const { what, count, why } of left) say(terminal, `  left out: ${count} ${what}. ${why}`)
  for (const { line, message } of refused) say(terminal, `  refused, line ${line}: ${safe(message)}`)
}

async function importAnswers(call: Call, path: string, user: string): Promise<ExitCode> {
  const { terminal, flags } = call
  requireLocal(call, 'Taking answers in')
  const content = await readFile(path, { encoding: 'utf8', signal: terminal.interrupted })
  await using connection = await openHere(call)
  const progress = createProgress(terminal, 'Importing')
  const report = await connection.purser.answers
    .import(user, content, {
      onProgress: ({ done, total }) => progress.at(done / total),
      signal: terminal.interrupted,
    })
    .finally(progress.end)
  if (flags.json === true) printJson(terminal, report)
  else {
    say(terminal, `${report.imported} of ${report.found} answers taken in for ${safe(user)}.`)
    if (!report.whole) say(terminal, '  The file is torn: its entries were picked out one by one.')
    for (const [reason, count] of Object.entries(report.skipped)) say(terminal, `  left out: ${count} ${reason}`)
  }
  return report.imported === 0 ? EXIT.failed : EXIT.ok
}
