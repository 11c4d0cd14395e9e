import { randomBytes } from 'node:crypto'
import { PurserError } from 'purser'
import type { Sealer } from 'purser/internal'
import type { KeptReply } from '../http/repeatable-request.ts'
import { requireReceiver } from './post-webhook.ts'
import { createSecret } from './signature.ts'

/** A webhook without its secret. */
export interface Webhook {
  readonly id: string
  readonly url: string
  /** Types of events; null: all of them. */
  readonly types: readonly string[] | null
  readonly enabled: boolean
  /** ISO 8601. */
  readonly createdAt: string
  /** The name of the key. */
  readonly createdBy: string
}

/** A webhook with its secret. Returned once, when it is created. */
export interface NewWebhook extends Webhook {
  readonly secret: string
}

export interface StoredWebhook extends Webhook {
  readonly sealedSecret: string
  /** To the request that created it, if it may be repeated. */
  readonly reply?: KeptReply
}

/** The stored document. */
export interface WebhookSet {
  readonly v: 1
  readonly webhooks: readonly StoredWebhook[]
}

export const NO_WEBHOOKS: WebhookSet = { v: 1, webhooks: [] }
export const MAX_WEBHOOKS = 20
const MAX_TYPES = 64
const TYPE = /^[\w:.-]{1,128}$/

export interface WebhookPatch {
  readonly url?: unknown
  readonly types?: unknown
  readonly enabled?: unknown
}

export interface CreateWebhookOptions {
  readonly createdBy: string
  readonly now: number
  readonly allowPrivate: boolean
}

/** Throws `argument_invalid` and `host_not_allowed`. */
export function createWebhook(
  { url, types }: WebhookPatch,
  { createdBy, now, allowPrivate }: CreateWebhookOptions,
): { readonly webhook: Webhook; readonly secret: string } {
  const webhook: Webhook = {
    // Hexadecimal, so that an id never looks like a command-line flag.
    id: randomBytes(6).toString('hex'),
    url: requireReceiver(url, allowPrivate).href,
    types: parseTypes(types),
    enabled: true,
    createdAt: new Date(now).toISOString(),
    createdBy,
  }
  return { webhook, secret: createSecret() }
}

/** The webhook after a change: absent fields stay. Throws `argument_invalid` and `host_not_allowed`. */
export function patchWebhook(webhook: StoredWebhook, patch: WebhookPatch, allowPrivate: boolean): StoredWebhook {
  const { url, types, enabled } = patch
  if (enabled !== undefined && typeof enabled !== 'boolean')
    throw invalidWebhook('enabled', "'enabled' must be true or false.")
  return {
    ...webhook,
    ...(url === undefined ? {} : { url: requireReceiver(url, allowPrivate).href }),
    ...(types === undefined ? {} : { types: parseTypes(types) }),
    ...(enabled === undefined ? {} : { enabled }),
  }
}

function parseTypes(types: unknown): readonly string[] | null {
  if (types === undefined || types === null) return null
  const isType = (type: unknown): type is string => typeof type === 'string' && TYPE.test(type)
  if (Array.isArray(types) && types.length > 0 && types.length <= MAX_TYPES && types.every(isType))
    return [...new Set(types)]
  throw invalidWebhook(
    'types',
    `'types' must be a list of 1 to ${MAX_TYPES} types of events.`,
    "Example: ['limit_reached', 'limit_threshold']. Omit it for all types.",
  )
}

/** What a secret is sealed for. */
export function sealSecret(sealer: Sealer, id: string, secret: string): string {
  return sealer.seal(secret, ['webhook', id])
}

export function openSecret(sealer: Sealer, { id, sealedSecret }: StoredWebhook): string {
  return sealer.open(sealedSecret, ['webhook', id])
}

export function withoutSecret({ sealedSecret: _secret, reply: _reply, ...webhook }: StoredWebhook): Webhook {
  return webhook
}

export function invalidWebhook(param: string, message: string, hint?: string): PurserError {
  return new PurserError('argument_invalid', message, { hint, details: { param } })
}
