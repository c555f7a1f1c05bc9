package runner

// AnswerCost is how often a byte of an answer is counted.
const AnswerCost = answerCost
