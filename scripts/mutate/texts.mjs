/** A plugin of Stryker: what an error says for people to read is not mutated. What decides about it is. */
import { declareValuePlugin, PluginKind } from '@stryker-mutator/api/plugin'

const SAYS = new Set([
  'fail',
  'refuse',
  'Error',
  'TypeError',
  'RangeError',
  'SockError',
  'damaged',
  'corrupt',
])

export const strykerPlugins = [
  declareValuePlugin(PluginKind.Ignore, 'texts', {
    shouldIgnore(path) {
      if (!path.isStringLiteral() && !path.isTemplateLiteral()) return undefined
      const call = path.findParent((at) => at.isCallExpression() || at.isNewExpression() || at.isStatement())
      const { callee } = call?.node ?? {}
      // Of a method what it is called: `from.refuse`, `this.#refuse`.
      const name = callee?.name ?? callee?.property?.name ?? callee?.property?.id?.name
      return SAYS.has(name) ? 'what an error says' : undefined
    },
  }),
]
