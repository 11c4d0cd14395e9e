import type { LanguageModelV4CallOptions, LanguageModelV4Message } from '@ai-sdk/provider'
import type { AiSdkOptions, AiSdkUser } from './ai-sdk-user.ts'
import type { InjectedContext } from './metering.ts'

/** A call with the user's context, and that context, for its record. */
export interface CallWithContext {
  readonly call: LanguageModelV4CallOptions
  readonly context: InjectedContext
}

/**
 * Resolves the user's context and appends it to the last leading system message; if there is none, the context becomes
 * the first message. The application's own instructions stay a stable prefix: behind a message with provider options,
 * such as a cache breakpoint, the context is a message of its own.
 */
export async function injectContext(
  user: AiSdkUser,
  call: LanguageModelV4CallOptions,
  { mode, timeZone, session }: Pick<AiSdkOptions, 'mode' | 'timeZone' | 'session'>,
): Promise<CallWithContext> {
  const context = await user.context.resolve({
    mode,
    timeZone,
    session,
    query: lastUserText(call.prompt),
    signal: call.abortSignal,
  })
  return { call: { ...call, prompt: appendToInstructions(call.prompt, context.text) }, context }
}

/** For sources that search by what the user wrote. */
function lastUserText(prompt: readonly LanguageModelV4Message[]): string | undefined {
  const message = prompt.findLast(({ role }) => role === 'user')
  if (message?.role !== 'user') return undefined
  return message.content.flatMap((part) => (part.type === 'text' ? [part.text] : [])).join('\n')
}

function appendToInstructions(prompt: readonly LanguageModelV4Message[], text: string): LanguageModelV4Message[] {
  if (text === '') return [...prompt]
  const end = prompt.findIndex(({ role }) => role !== 'system')
  const index = (end === -1 ? prompt.length : end) - 1
  const instructions = prompt[index]
  if (instructions?.role !== 'system') return [{ role: 'system', content: text }, ...prompt]
  if (instructions.providerOptions !== undefined)
    return prompt.toSpliced(index + 1, 0, { role: 'system', content: text })
  const content = instructions.content === '' ? text : `${instructions.content}\n\n${text}`
  return prompt.with(index, { ...instructions, content })
}
