import {
  isObject,
  parseInstant,
  parseInteger,
  parseJsonObject,
  parseText,
  throwInvalid,
  validateFieldCount,
  validateFields,
} from '../core/validate.ts'
import { LABEL_MAX_BYTES } from '../options-schema.ts'
import { type LedgerRules, parseLabel } from './rules.ts'

/** What a detector of the application found out about a user. Absent fields stay unchanged. */
export interface DetectionInput {
  phase?: string | undefined
  riskLevel?: string | undefined
  archetype?: string | undefined
  eggStatus?: string | undefined
  /** 0 to 1. */
  confidence?: number | undefined
  /** At most 256 bytes. */
  primarySignal?: string | undefined
  /** Turns so far, as counted by the application. */
  turnCount?: number | undefined
  /** When it was detected, ISO 8601. Default: now, also for a time in the future. */
  at?: string | undefined
  /** The detector; name and version of at most 128 bytes each. */
  source?: { name: string; version?: string | undefined } | undefined
  /** What it is based on: ids of signals, not their text. At most 16 KiB of JSON. */
  evidence?: unknown
}

/** A validated detection with its peaks. */
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
/** Of the evidence of a detection, or the data of an application event. */
export const DATA_MAX_BYTES = 16_384
const SIGNAL_MAX_BYTES = 256
const SOURCE_MAX_BYTES = 128
const code = 'detection_invalid'

/** Validates a detection and its peaks as a whole. Throws `detection_invalid`. */
export function parseDetection(rules: LedgerRules, input: DetectionInput, peaks: unknown): Detection {
  validateFields(input, FIELDS, { name: 'detection', code })
  const { confidence, primarySignal, turnCount, at, source, evidence } = input
  return {
    ...parseLabels(rules, input),
    ...(confidence === undefined ? {} : { confidence: parseConfidence(confidence) }),
    ...(primarySignal === undefined
      ? {}
      : { primarySignal: parseText(primarySignal, { name: 'primarySignal', maxBytes: SIGNAL_MAX_BYTES, code }) }),
    ...(turnCount === undefined ? {} : { turnCount: parseInteger(turnCount, { name: 'turnCount', min: 0, code }) }),
    at: at === undefined ? null : parseInstant(at, { name: 'at', code }),
    ...(source === undefined ? {} : { source: parseSource(source) }),
    ...(evidence === undefined
      ? {}
      : parseJsonObject({ evidence }, { name: 'evidence', maxBytes: DATA_MAX_BYTES, code })),
    peaks: peaks === undefined ? {} : parsePeaks(peaks),
  }
}

function parseLabels(
  rules: LedgerRules,
  { phase, riskLevel, archetype, eggStatus }: DetectionInput,
): Pick<Detection, 'phase' | 'riskLevel' | 'archetype' | 'eggStatus'> {
  return {
    ...(phase === undefined ? {} : { phase: parsePhase(rules, phase) }),
    ...(riskLevel === undefined ? {} : { riskLevel: parseRiskLevel(rules, riskLevel) }),
    ...(archetype === undefined ? {} : { archetype: parseDetectionLabel(archetype, 'archetype') }),
    ...(eggStatus === undefined ? {} : { eggStatus: parseDetectionLabel(eggStatus, 'eggStatus') }),
  }
}

export function parsePhase({ phases }: LedgerRules, phase: unknown): string {
  return parseDetectionLabel(phase, 'phase', phases)
}

export function parseRiskLevel({ riskLevels }: LedgerRules, riskLevel: unknown): string {
  return parseDetectionLabel(riskLevel, 'riskLevel', riskLevels)
}

function parseDetectionLabel(value: unknown, name: string, declared?: readonly string[]): string {
  return parseLabel(value, declared, { name, maxBytes: LABEL_MAX_BYTES, code })
}

function parseConfidence(value: unknown): number {
  if (typeof value === 'number' && value >= 0 && value <= 1) return value
  return throwInvalid("'confidence' must be a number from 0 to 1.", { name: 'confidence', code })
}

function parseSource(source: unknown): { name: string; version?: string } {
  validateFields(source, ['name', 'version'], { name: 'source', code })
  const { name, version } = source as { name: unknown; version?: unknown }
  const rule = { maxBytes: SOURCE_MAX_BYTES, code } as const
  return {
    name: parseText(name, { name: 'source.name', ...rule }),
    ...(version === undefined ? {} : { version: parseText(version, { name: 'source.version', ...rule }) }),
  }
}

function parsePeaks(peaks: unknown): Record<string, number> {
  const rule = { name: 'peaks', code } as const
  if (!isObject(peaks)) return throwInvalid("'peaks' must be an object of numbers.", rule)
  validateFieldCount(peaks, MAX_PEAKS, rule)
  const entries = Object.entries(peaks)
  for (const [node, value] of entries) {
    parseText(node, { name: 'peak node', maxBytes: LABEL_MAX_BYTES, code })
    if (typeof value !== 'number' || !Number.isFinite(value))
      throwInvalid(`The peak '${node}' must be a finite number.`, rule)
  }
  return Object.fromEntries(entries) as Record<string, number>
}
