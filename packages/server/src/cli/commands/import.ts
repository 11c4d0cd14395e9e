import { existsSync, statSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { escapeControls } from '../../app/escape-controls.ts'
import type { Command, Invocation } from '../command.ts'
import { connect, openStore, requireLocal } from '../connection.ts'
import { NotFoundError, UsageError } from '../errors.ts'
import { EXIT, type ExitCode } from '../exit-codes.ts'
import { type ExportSummary, validateExportFile } from '../export-file.ts'
import { API_FLAGS, getText } from '../flags.ts'
import { importOriginalUser } from '../import-original-ledger.ts'
import type { UserReport } from '../import-report.ts'
import { importUsers } from '../import-users.ts'
import { readOriginalLedger } from '../original-ledger.ts'
import { createCounter, createProgress } from '../progress.ts'
import { printJson, printMessage, type Terminal } from '../terminal.ts'

export const importFile: Command = {
  name: 'import',
  operands: 'FILE|redis://HOST/12',
  operandCount: [1, 1],
  summary:
    'Imports a file of purser export, with --user an old ai_responses.json, or the users of the original ledger in Redis; reports what was skipped.',
  flags: {
    ...API_FLAGS,
    user: { type: 'string', help: 'the user of the answers in an ai_responses.json' },
    force: { type: 'boolean', help: 'also import into existing users; values in the file replace theirs' },
  },
  async run(invocation) {
    const { terminal, operands, flags } = invocation
    if (REDIS_URL.test(operands[0] ?? '')) return importOriginalLedger(invocation, operands[0] ?? '')
    const path = resolve(terminal.directory, operands[0] ?? '')
    if (!existsSync(path)) throw new NotFoundError(`File ${path} not found.`)
    if (statSync(path).isDirectory()) throw new UsageError(`${path} is a directory, not a file.`)
    const summary = await validateExportFile(path, terminal.signal)
    const user = getText(flags.user)
    if (summary !== undefined) {
      if (user !== undefined) throw new UsageError('An export names its own user: omit --user.')
      return importExports(invocation, path, summary)
    }
    if (user !== undefined) return importAnswers(invocation, path, user)
    throw new UsageError(`${path} is not a file of purser export. For an old ai_responses.json pass --user ID.`)
  },
}

const REDIS_URL = /^rediss?:\/\//

async function importOriginalLedger(invocation: Invocation, url: string): Promise<ExitCode> {
  const { terminal, flags } = invocation
  requireLocal(invocation, 'Importing the original ledger')
  await using connection = await openStore(invocation)
  const options = { force: flags.force === true, signal: terminal.signal }
  const users: UserReport[] = []
  const counter = createCounter(terminal, 'users')
  let [hasExisting, hasRefused] = [false, false]
  for await (const original of readOriginalLedger(url)) {
    const report = await importOriginalUser(connection.purser, original, options)
    if (flags.json !== true) printReport(terminal, report)
    // Reports that are printed show the progress themselves.
    else counter.update({ label: 'Importing', count: users.push(report) })
    hasExisting ||= report.exists
    hasRefused ||= report.refused.length > 0
  }
  counter.end()
  if (flags.json === true) printJson(terminal, { users })
  if (hasExisting) return EXIT.conflict
  return hasRefused ? EXIT.failed : EXIT.ok
}

async function importExports(invocation: Invocation, path: string, summary: ExportSummary): Promise<ExitCode> {
  const { terminal, flags } = invocation
  await using connection = await connect(invocation)
  const progress = createProgress(terminal, 'Importing')
  const users: UserReport[] = []
  try {
    const options = { connection, path, summary, force: flags.force === true, signal: terminal.signal }
    const onRow = (rows: number): void => progress.update(rows / summary.rows)
    for await (const report of importUsers(options, onRow)) users.push(report)
  } finally {
    progress.end()
  }
  if (flags.json === true) printJson(terminal, { users })
  else for (const report of users) printReport(terminal, report)
  if (users.some(({ exists }) => exists)) return EXIT.conflict
  return users.some(({ refused }) => refused.length > 0) ? EXIT.failed : EXIT.ok
}

function printReport(terminal: Terminal, { user, exists, taken, left, refused }: UserReport): void {
  const name = escapeControls(user)
  if (exists) {
    printMessage(terminal, `${name}: exists, not changed. With --force the values in the file replace it.`)
    return
  }
  const counts = Object.entries(taken).map(([what, count]) => `${count} ${what}`)
  printMessage(terminal, `${name}: imported ${counts.length === 0 ? 'nothing' : counts.join(', ')}.`)
  for (const { what, count, why } of left) printMessage(terminal, `  skipped: ${count} ${what}. ${why}`)
  for (const { line, message } of refused) printMessage(terminal, `  refused, line ${line}: ${escapeControls(message)}`)
}

async function importAnswers(invocation: Invocation, path: string, user: string): Promise<ExitCode> {
  const { terminal, flags } = invocation
  requireLocal(invocation, 'Importing answers')
  const content = await readFile(path, { encoding: 'utf8', signal: terminal.signal })
  await using connection = await openStore(invocation)
  const progress = createProgress(terminal, 'Importing')
  const report = await connection.purser.answers
    .import(user, content, {
      onProgress: ({ done, total }) => progress.update(done / total),
      signal: terminal.signal,
    })
    .finally(progress.end)
  if (flags.json === true) printJson(terminal, report)
  else {
    printMessage(terminal, `Imported ${report.imported} of ${report.found} answers for ${escapeControls(user)}.`)
    if (!report.whole) printMessage(terminal, '  The file is truncated or damaged: complete entries were recovered.')
    for (const [reason, count] of Object.entries(report.skipped)) {
      printMessage(terminal, `  skipped: ${count} ${reason}`)
    }
  }
  return report.imported === 0 ? EXIT.failed : EXIT.ok
}
