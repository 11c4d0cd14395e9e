import { suggestion } from '../errors.ts'
import { LABEL_MAX_BYTES } from '../options-schema.ts'
import type { Rules } from './quota.ts'
import { instantOf, jsonObject, onlyKnown, refuse, text, wholeNumber } from './validate-arguments.ts'

/** What the application's own detector says about a user. What is absent stays as it is. */
export interface DetectionInput {
  phase?: string | undefined
  riskLevel?: string | undefined
  archetype?: string | undefined
  eggStatus?: string | undefined
  /** 0 to 1. */
  confidence?: number | undefined
  primarySignal?: string | undefined
  /** Turns so far, as the application counts them. */
  turnCount?: number | undefined
  /** When it was seen, ISO 8601; by default now. A time in the future counts as now. */
  at?: string | undefined
  /** What saw it. */
  source?: { name: string; version?: string | undefined } | undefined
  /** What it rests on: ids of signals, not their text. At most 16 KiB of JSON. */
  evidence?: unknown
}

/** A detection that has passed its checks. */
export interface Detection {
  readonly phase?: string
  readonly riskLevel?: string
  readonly archetype?: string
  readonly eggStatus?: string
  readonly confidence?: number
  readonly primarySignal?: string
  readonly turnCount?: number
  /** Epoch ms; null: now. */
  readonly at: number | null
  readonly source?: { readonly name: string; readonly version?: string }
  readonly evidence?: unknown
  readonly peaks: Readonly<Record<string, number>>
}

const FIELDS = [
  'phase',
  'riskLevel',
  'archetype',
  'eggStatus',
  'confidence',
  'primarySignal',
  'turnCount',
  'at',
  'source',
  'evidence',
] as const

/** Peak nodes of one user. */
export const MAX_PEAKS = 64
export const DATA_MAX_BYTES = 16_384
const code = 'detection_invalid'

/** Checks a detection and its peaks as a whole; throws `detection_invalid` before anything of it is taken. */
export function checkDetection(rules: Rules, input: DetectionInput, peaks: unknown): Detection {
  onlyKnown(input, FIELDS, { what: 'a detection', code })
  const { phase, riskLevel, archetype, eggStatus, confidence, primarySignal, turnCount, at, source, evidence } = input
  return {
    ...(phase === undefined ? {} : { phase: label(phase, 'phase', rules.phases) }),
    ...(riskLevel === undefined ? {} : { riskLevel: label(riskLevel, 'riskLevel', rules.riskLevels) }),
    ...(archetype === undefined ? {} : { archetype: label(archetype, 'archetype') }),
    ...(eggStatus === undefined ? {} : { eggStatus: label(eggStatus, 'eggStatus') }),
    ...(confidence === undefined ? {} : { confidence: confidenceOf(confidence) }),
    ...(primarySignal === undefined
      ? {}
      : { primarySignal: text(primarySignal, { name: 'primarySignal', maxBytes: 256, code }) }),
    ...(turnCount === undefined
      ? {}
      : { turnCount: wholeNumber(turnCount, { name: 'turnCount', least: 0, most: Number.MAX_SAFE_INTEGER, code }) }),
    at: at === undefined ? null : instantOf(at, { name: 'at', code }),
    ...(source === undefined ? {} : { source: sourceOf(source) }),
    ...(evidence === undefined ? {} : jsonObject({ evidence }, { name: 'evidence', maxBytes: DATA_MAX_BYTES, code })),
    peaks: peaks === undefined ? {} : peaksOf(peaks),
  }
}

/** A phase, risk level or the like; one of the declared ones where the application has declared them. */
export function label(value: unknown, name: string, declared?: readonly string[]): string {
  const given = text(value, { name, maxBytes: LABEL_MAX_BYTES, code })
  if (declared === undefined || declared.includes(given)) return given
  return refuse(
    code,
    `'${given}' is not a declared ${name}.`,
    suggestion(given, declared) || `Declared are: ${declared.join(', ')}.`,
    name,
  )
}

function confidenceOf(value: unknown): number {
  if (typeof value === 'number' && value >= 0 && value <= 1) return value
  return refuse(code, 'confidence must be a number from 0 to 1.', undefined, 'confidence')
}

function sourceOf(source: unknown): { name: string; version?: string } {
  onlyKnown(source, ['name', 'version'], { what: 'a source', code })
  const { name, version } = source as { name: unknown; version?: unknown }
  return {
    name: text(name, { name: 'source.name', maxBytes: 128, code }),
    ...(version === undefined ? {} : { version: text(version, { name: 'source.version', maxBytes: 128, code }) }),
  }
}

function peaksOf(peaks: unknown): Record<string, number> {
  if (typeof peaks !== 'object' || peaks === null || Array.isArray(peaks))
    refuse(code, 'peaks must be an object of numbers.', undefined, 'peaks')
  const entries = Object.entries(peaks)
  if (entries.length > MAX_PEAKS) refuse(code, `A user has at most ${MAX_PEAKS} peak nodes.`, undefined, 'peaks')
  for (const [node, value] of entries) {
    text(node, { name: 'The name of a peak node', maxBytes: LABEL_MAX_BYTES, code })
    if (typeof value !== 'number' || !Number.isFinite(value))
      refuse(code, `The peak '${node}' must be a finite number.`, undefined, 'peaks')
  }
  return Object.fromEntries(entries) as Record<string, number>
}
