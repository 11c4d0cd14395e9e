// LangChain with the gateway: one chain for all users. Each request names its user; the model is that of the user's settings, the
// context is added by Purser, and a refusal is an error that LangChain does not retry.
import { StringOutputParser } from '@langchain/core/output_parsers'
import { ChatPromptTemplate } from '@langchain/core/prompts'
import { ChatOpenAI } from '@langchain/openai'
import { createServer } from '@purser/server'

const key = 'a-service-key-for-this-example-only'
await using server = await createServer({
  config: { store: 'memory:', ledger: { dailyCap: 2 }, server: { port: 0, logLevel: 'silent' } },
  keys: { service: key },
})
const baseURL = `${await server.listen()}/v1`

const prompt = ChatPromptTemplate.fromMessages([
  ['system', 'You are a patient teacher.'],
  ['human', '{question}'],
])
const chainFor = (user: string) => {
  const model = new ChatOpenAI({
    model: 'auto',
    apiKey: key,
    configuration: { baseURL, defaultHeaders: { 'x-purser-user': user } },
  })
  return prompt.pipe(model).pipe(new StringOutputParser())
}

const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' }
const body = JSON.stringify({ name: 'Ada' })
await fetch(new URL('/api/users/ada/profile', baseURL), { method: 'PUT', headers, body })

const ada = chainFor('ada')
console.log(await ada.invoke({ question: 'What is my name?' }))
for await (const part of await ada.stream({ question: 'And now as a stream?' })) process.stdout.write(part)
process.stdout.write('\n')
const refusal = await ada.invoke({ question: 'One more?' }).catch((error: unknown) => error)
const { status, code } = refusal as { status: number; code: string }
console.log(status, code)
console.log((await chainFor('bela').invoke({ question: 'Hello' })).split('\n')[0])
