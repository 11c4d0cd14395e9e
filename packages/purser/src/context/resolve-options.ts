import { validateSignal } from '../core/validate.ts'
import type { Mode, ResolveOptions } from './api.ts'
import type { Precision } from './render/clock.ts'
import { zoneOf } from './render/zone.ts'
import type { SectionRuntime } from './section-runtime.ts'
import { duration, modeOf, onlyKnown, refuse } from './validate-arguments.ts'

/** One call of `resolve`, checked. */
export interface Request {
  readonly mode: Mode
  readonly budgetMs: number
  readonly maxAgeMs: number | undefined
  readonly timeZone: string | undefined
  readonly lanes: readonly SectionRuntime[]
  readonly clock: Precision
  readonly signal: AbortSignal | undefined
  /** The same for calls that may share one answer. */
  readonly key: string
}

export interface RequestDefaults {
  readonly budgetMs: number
  readonly clock: Precision | 'auto'
  readonly lanes: readonly SectionRuntime[]
}

const KNOWN = ['mode', 'budgetMs', 'maxAgeMs', 'timeZone', 'sections', 'signal', 'keep']
const NONE: ResolveOptions = {}

/** Throws `argument_invalid`. */
export function readRequest(options: ResolveOptions | undefined, defaults: RequestDefaults): Request {
  if (options !== undefined) onlyKnown(options, KNOWN, 'the options of resolve')
  const { mode: givenMode, budgetMs, maxAgeMs, timeZone, sections, signal, keep } = options ?? NONE
  const mode = modeOf(givenMode)
  if (timeZone !== undefined && (typeof timeZone !== 'string' || zoneOf(timeZone) === undefined))
    refuse('timeZone must be an IANA time zone.', 'timeZone', "For instance 'Asia/Kolkata' or 'UTC'.")
  validateSignal(signal)
  if (keep !== undefined && typeof keep !== 'boolean') refuse('keep must be true or false.', 'keep')
  const lanes = sections === undefined ? defaults.lanes : chosen(sections, defaults.lanes)
  const clock = defaults.clock !== 'auto' ? defaults.clock : keep === true ? 'off' : 'minute'
  const plain = timeZone === undefined && lanes === defaults.lanes && keep !== true
  return {
    mode,
    budgetMs: budgetMs === undefined ? defaults.budgetMs : duration(budgetMs, 'budgetMs'),
    maxAgeMs: maxAgeMs === undefined ? undefined : duration(maxAgeMs, 'maxAgeMs'),
    timeZone,
    lanes,
    clock,
    signal,
    key: plain ? mode : `${mode} ${clock} ${timeZone ?? ''} ${lanes.map((lane) => lane.section.name).join()}`,
  }
}

/** In the order of the configuration, whatever order was asked for, so that equal requests give equal bytes. */
function chosen(sections: unknown, lanes: readonly SectionRuntime[]): readonly SectionRuntime[] {
  if (!Array.isArray(sections)) refuse('sections must be a list of names.', 'sections', 'Leave it out for all.')
  const names = lanes.map((lane) => lane.section.name)
  for (const name of sections) {
    if (!names.includes(name as string))
      refuse(`There is no section '${String(name).slice(0, 64)}'.`, 'sections', `Known here: ${names.join(', ')}.`)
  }
  const kept = lanes.filter((lane) => sections.includes(lane.section.name))
  return kept.length === lanes.length ? lanes : kept
}
