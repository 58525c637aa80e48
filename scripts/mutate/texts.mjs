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
      return callee?.type === 'Identifier' && SAYS.has(callee.name) ? 'what an error says' : undefined
    },
  }),
]
