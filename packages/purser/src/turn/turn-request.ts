import type { ChatMessage } from '../openai/chat.ts'

/** What a turn needs of its request, which may be in the format of any endpoint. */
export interface TurnRequest {
  readonly model?: string | null | undefined
  /** Absent in other formats than chat completions. */
  readonly messages?: readonly ChatMessage[] | undefined
  /** The whole request in another format. */
  readonly body?: unknown
}
