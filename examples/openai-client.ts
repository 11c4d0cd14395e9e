// The official OpenAI client with Purser's gateway: only the base URL and the API key differ.
// Start the gateway first: npm start. Then: PURSER_SERVICE_KEY=… npm run --silent node -- examples/openai-client.ts
import OpenAI from 'openai'

const client = new OpenAI({
  baseURL: process.env.PURSER_URL ?? 'http://127.0.0.1:7117/v1',
  apiKey: process.env.PURSER_SERVICE_KEY,
})

const stream = await client.chat.completions.create({
  model: 'auto',
  user: 'ada',
  messages: [
    { role: 'system', content: 'You are a friendly teacher.' },
    { role: 'user', content: 'What do you know about me?' },
  ],
  stream: true,
})
for await (const chunk of stream) process.stdout.write(chunk.choices[0]?.delta.content ?? '')
process.stdout.write('\n')
