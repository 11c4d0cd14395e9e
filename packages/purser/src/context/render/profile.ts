import { WORDS } from '../../templates/prompt-wording.ts'
import type { RenderContext } from '../api.ts'
import type { Plain } from '../copy-data.ts'

/** A field that is told in every profile, also when it is missing. */
interface Field {
  /** Names in the data; the first that is there counts. */
  readonly from: readonly string[]
  readonly label: string
  readonly missing: string
  readonly explanation: string
  readonly simple: boolean
}

const FIELDS: readonly Field[] = [
  {
    from: ['name', 'display_name', 'username'],
    label: 'user_name',
    missing: 'User',
    explanation: 'what to call the user, where a name helps and not in every reply',
    simple: true,
  },
  {
    from: ['gender'],
    label: 'gender',
    missing: 'not specified',
    explanation: 'for the right forms of address',
    simple: true,
  },
  {
    from: ['preferred_language'],
    label: 'preferred_language',
    missing: 'not specified',
    explanation: 'the language to answer in, unless the user writes in another',
    simple: true,
  },
  {
    from: ['dob', 'date_of_birth'],
    label: 'date_of_birth',
    missing: 'not specified',
    explanation: 'to suit the user in age',
    simple: true,
  },
  {
    from: ['english_proficiency'],
    label: 'english_proficiency',
    missing: 'not specified',
    explanation: 'how simple the English should be',
    simple: false,
  },
  {
    from: ['created_date'],
    label: 'created_date',
    missing: 'unknown',
    explanation: 'when the user joined',
    simple: false,
  },
  {
    from: ['standard'],
    label: 'standard',
    missing: 'not specified',
    explanation: 'the class the user is in',
    simple: false,
  },
  {
    from: ['who_pays_for_course'],
    label: 'who_pays_for_course',
    missing: 'not specified',
    explanation: 'who decides about purchases',
    simple: false,
  },
]

const KNOWN = new Set(FIELDS.flatMap((field) => field.from))

type Fields = { readonly [name: string]: Plain }

/**
 * A profile as a model reads it: the usual fields, told also when they are missing, then the application's own in
 * the order they came. What does not fit is left out from the end.
 */
export function renderProfile(
  profile: Fields,
  { mode, maxBytes, maxItems }: RenderContext,
): { text: string; cut: number } {
  const simple = mode === 'create'
  const usual = FIELDS.filter((field) => field.simple || !simple).map((field) => lineOf(profile, field, simple))
  const own = Object.entries(profile)
    .filter(([name, value]) => !KNOWN.has(name) && fieldText(value) !== undefined)
    .map(([name, value]) => `${name}: ${fieldText(value)}`)
  const [head, separator, tail] = simple
    ? [WORDS.simpleProfile, ', ', '']
    : [WORDS.verboseProfile, '\n', `\n${WORDS.verboseTail}`]
  const lines = [...usual, ...own]
  const kept = fitting(lines, {
    maxItems,
    room: maxBytes - Buffer.byteLength(head + tail) - 1 - WORDS.cutBytes,
    separator,
  })
  const cut = lines.length - kept.length
  const told = cut === 0 ? kept : [...kept, WORDS.cutItems(String(cut))]
  return { text: `${head}\n${told.join(separator)}${tail}`, cut }
}

/** As many lines from the start as there is room for. */
export function fitting(
  lines: readonly string[],
  { maxItems, room, separator }: { readonly maxItems: number; readonly room: number; readonly separator: string },
): string[] {
  const kept: string[] = []
  let used = 0
  for (const line of lines) {
    used += Buffer.byteLength(line) + separator.length
    if (used > room || kept.length >= maxItems) break
    kept.push(line)
  }
  return kept
}

function lineOf(profile: Fields, { from, label, missing, explanation }: Field, simple: boolean): string {
  const name = from.find((candidate) => fieldText(profile[candidate]) !== undefined)
  const value = name === undefined ? missing : fieldText(profile[name])
  return simple ? `${label}: ${value}` : `${label}: ${value} [${explanation}]`
}

/** Text of a field; undefined when it is as good as missing. */
export function fieldText(value: Plain | undefined): string | undefined {
  if (value === null || value === undefined || value === '') return undefined
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}
