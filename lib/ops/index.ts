export {type AttentionOptions, attention, cacheWrite} from './attention.js';
export {add, siluMul} from './elementwise.js';
export {embed} from './embed.js';
export {layerNorm} from './layer-norm.js';
export {linear} from './linear.js';
export {gatherRows, sample, tokenLogProb} from './output.js';
export {type RmsNormOptions, rmsNorm} from './rms-norm.js';
export {rope, ropeAngles} from './rope.js';
export {flat, heads} from './shape.js';
