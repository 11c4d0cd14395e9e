import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { COMMANDS } from '../../packages/server/src/cli/commands/index.ts'
import { toParseArgsOptions } from '../../packages/server/src/cli/flags.ts'
import { type Block, ROOT } from './pages.ts'

/** A command line of a `sh` block, in words. */
export interface CommandLine {
  readonly page: string
  readonly line: number
  readonly words: readonly string[]
  /** The comment at the end of the line. */
  readonly comment: string
}

/** The commands of a block: one a line, or several that are joined with `|`, `&&` or `;`. */
export function commandsIn({ page, line, text }: Block): CommandLine[] {
  return joinLines(text).flatMap(({ text: joined, index }) => {
    const { commands, comment } = splitWords(joined)
    return commands.map((words) => ({ page, line: line + index, words, comment }))
  })
}

/** Lines that end with a backslash, joined with the next ones. */
function joinLines(text: string): { text: string; index: number }[] {
  const joined: { text: string; index: number }[] = []
  let continues = false
  for (const [index, line] of text.split('\n').entries()) {
    const last = joined.at(-1)
    if (continues && last !== undefined) last.text += line.replace(/\\$/, '')
    else joined.push({ text: line.replace(/\\$/, '').replace(/^\$ /, ''), index })
    continues = line.endsWith('\\')
  }
  return joined
}

/** Quotes, redirects and comments of a POSIX shell, as far as the documentation uses them. */
function splitWords(text: string): { commands: string[][]; comment: string } {
  const commands: string[][] = [[]]
  const tokens =
    /\s+#(?<comment>.*)$|^#.*$|(?<end>\|\||&&|[|;])|(?<redirect>\d?[<>]+\s*\S+)|(?<word>(?:'[^']*'|"(?:\\.|[^"\\])*"|[^\s'"|;<>&])+)/g
  let comment = ''
  for (const { groups = {} } of text.matchAll(tokens)) {
    if (groups.comment !== undefined) comment = groups.comment.trim()
    else if (groups.end !== undefined) commands.push([])
    else if (groups.word !== undefined) commands.at(-1)?.push(unquote(groups.word))
  }
  return { commands: commands.filter((words) => words.length > 0), comment }
}

function unquote(word: string): string {
  return word.replaceAll(
    /'([^']*)'|"((?:\\.|[^"\\])*)"/g,
    (_, single, double) => single ?? double.replaceAll(/\\(.)/g, '$1'),
  )
}

/** The problem of a line that runs `purser` or an npm script; undefined for every other line. */
export function findCommandProblem({ words }: CommandLine): string | undefined {
  const [program, ...args] = words.slice(words.findIndex((word) => !/^[A-Z_]+=/.test(word)))
  if (program === 'purser') return findPurserProblem(args)
  if (program !== 'npm') return undefined
  const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { scripts: object }
  const [script = '', ...rest] = args.filter((arg) => arg !== 'run' && arg !== '--silent')
  if (!Object.hasOwn(scripts, script)) return `there is no script '${script}' in package.json`
  const flags = rest[0] === '--' ? rest.slice(1) : rest
  if (script === 'purser') return findPurserProblem(flags)
  return script === 'start' ? findPurserProblem(['serve', ...flags]) : undefined
}

function findPurserProblem(args: readonly string[]): string | undefined {
  const [first = '', second] = args
  if (first === '--help' || first === '--version') return undefined
  const command =
    COMMANDS.find(({ name }) => name === `${first} ${second}`) ?? COMMANDS.find(({ name }) => name === first)
  if (command === undefined) return `there is no command 'purser ${first}'`
  const rest = args.slice(command.name.split(' ').length).filter((arg) => arg !== '--help')
  try {
    const options = toParseArgsOptions(command.flags)
    const { positionals } = parseArgs({
      args: rest,
      options,
      allowPositionals: true,
      allowNegative: true,
      strict: true,
    })
    const [min, max] = command.operandCount
    const isComplete = positionals.length >= min || args.includes('--help')
    if (isComplete && positionals.length <= max) return undefined
    return `usage: purser ${command.name} ${command.operands}`
  } catch (error) {
    return (error as Error).message
  }
}
