import { PurserError, type User } from 'purser'
import { responsesOf, type UserResponses } from 'purser/internal'
import type { AppContext } from '../../app/context.ts'
import { type LoggedRequest, logFault } from '../../app/log-fault.ts'
import type { KeepResponsesOption } from '../../config/server-options.ts'
import type { Fields } from '../../formats/request-body.ts'
import { type Conversation, historyOf, itemsOf, referenceOf } from '../../formats/responses/conversation.ts'
import { invalidRequest, unsupportedParameter } from '../../formats/unsupported-parameter.ts'

const DEFAULTS: Required<KeepResponsesOption> = { ttlMs: 2_592_000_000, maxPerUser: 100 }

/**
 * Finds what a request for a response refers to among the kept responses of its user.
 *
 * @throws {PurserError} `previous_response_not_found`, also for an item; `unsupported_parameter` for what this server does
 *   not have; `store_unavailable`
 */
export async function openConversation(
  { options, effects }: AppContext,
  { user, request }: { readonly user: User; readonly request: LoggedRequest },
  asked: Fields,
): Promise<Conversation> {
  const { conversation, background, previous_response_id: previous } = asked
  if (conversation !== undefined && conversation !== null) throw unsupportedParameter('conversations', 'conversation')
  if (background === true) throw unsupportedParameter('responses in the background', 'background')
  const { keepResponses } = options
  const stored = keepResponses === undefined ? undefined : responsesOf(user)
  const previousId = previous === undefined || previous === null ? null : parseId(previous)
  const history = previousId === null ? [] : await readHistory(stored, previousId)
  const { items, recalled } = await recallItems(stored, asked.input)
  const { previous_response_id: _, ...rest } = asked
  const isExpanded = previousId !== null || recalled.length > 0
  const input = isExpanded ? [...history, ...items] : asked.input
  const body = { ...rest, ...(input === undefined ? {} : { input }) }
  const found = { body, recalled: new Set([...history, ...recalled]), previousId }
  if (stored === undefined || asked.store === false) return { ...found, id: undefined }
  const id = `resp_${effects.randomId().replaceAll('-', '')}`
  const limits = { ...DEFAULTS, ...keepResponses }
  return {
    ...found,
    id,
    async keep(response, { incarnation }) {
      try {
        return await stored.keep({ id, response, input: itemsOf(input) }, { ...limits, incarnation })
      } catch (error) {
        // The answer is complete, and says that it is not kept.
        if (!PurserError.is(error, 'user_erased')) logFault(request, error)
        return false
      }
    },
  }
}

function parseId(id: unknown): string {
  if (typeof id === 'string') return id
  throw invalidRequest("'previous_response_id' must be text.", 'previous_response_id')
}

async function readHistory(stored: UserResponses | undefined, id: string): Promise<readonly unknown[]> {
  const found = await stored?.get(id)
  if (found !== undefined) return historyOf(found)
  const isStored = stored !== undefined
  const message = isStored ? `There is no response '${id}'.` : 'Responses are not stored: send the whole input again.'
  throw new PurserError('previous_response_not_found', message, {
    hint: "Pass the output items of earlier responses in 'input' instead of 'previous_response_id'.",
    details: { param: 'previous_response_id' },
  })
}

/** The items of an input, with stored ones instead of references to them. */
async function recallItems(
  stored: UserResponses | undefined,
  input: unknown,
): Promise<{ readonly items: readonly unknown[]; readonly recalled: readonly unknown[] }> {
  const items = itemsOf(input)
  const ids = new Set(items.flatMap((item) => referenceOf(item) ?? []))
  if (ids.size === 0) return { items, recalled: [] }
  const found = stored === undefined ? new Map<string, unknown>() : await stored.findItems(ids)
  const recalled: unknown[] = []
  const whole = items.map((item, index) => {
    const id = referenceOf(item)
    if (id === undefined) return item
    if (!found.has(id)) throw unknownItem(id, `input[${index}]`)
    // Two references are two items.
    const copy = structuredClone(found.get(id))
    recalled.push(copy)
    return copy
  })
  return { items: whole, recalled }
}

function unknownItem(id: string, param: string): PurserError {
  return new PurserError('previous_response_not_found', `There is no kept item '${id}'.`, {
    hint: "Send the item itself: clients do with 'store: false', the AI SDK with providerOptions.openai.store = false.",
    details: { param },
  })
}
