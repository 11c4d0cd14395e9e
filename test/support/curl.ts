import { parseArgs } from 'node:util'
import type { CommandLine } from './commands.ts'
import { KEYS } from './programs.ts'

/** The request of a `curl` line. `$PURSER_SERVICE_KEY` and `$PURSER_ADMIN_KEY` are filled in. */
export function toRequest({ words }: CommandLine): Request {
  const { values, positionals } = parseArgs({
    args: words.slice(1).map(fillKeys),
    options: {
      request: { type: 'string', short: 'X' },
      header: { type: 'string', short: 'H', multiple: true },
      data: { type: 'string', short: 'd' },
      silent: { type: 'boolean', short: 's' },
      include: { type: 'boolean', short: 'i' },
      'no-buffer': { type: 'boolean', short: 'N' },
      output: { type: 'string', short: 'o' },
    },
    allowPositionals: true,
    strict: true,
  })
  const { request: method, header = [], data } = values
  const headers = header.map((line): [string, string] => {
    const colon = line.indexOf(':')
    return [line.slice(0, colon), line.slice(colon + 1).trim()]
  })
  return new Request(positionals[0] ?? '', {
    method: method ?? (data === undefined ? 'GET' : 'POST'),
    headers,
    ...(data === undefined ? {} : { body: data }),
  })
}

function fillKeys(word: string): string {
  return word.replaceAll('$PURSER_SERVICE_KEY', KEYS.service).replaceAll('$PURSER_ADMIN_KEY', KEYS.admin)
}

/** The status in a comment `→ 429`; undefined: any status of success. */
export function expectedStatus({ comment }: CommandLine): number | undefined {
  const status = /^→ (\d{3})$/.exec(comment)?.[1]
  return status === undefined ? undefined : Number(status)
}
