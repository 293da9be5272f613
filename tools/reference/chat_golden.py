#!/usr/bin/env python3
"""Writes tests/text/data/chat_golden.json: what transformers' apply_chat_template() renders of chat templates of the forms that
glint recognises (src/text/chat.c).

    python3 tools/reference/chat_golden.py > tests/text/data/chat_golden.json

The templates are ours, written after the documented output of each family and with the marks by which glint tells them apart; the hub's
own are not in this repository. Needs transformers and jinja2 from PyPI. "rendered": null stands for a template that raises,
"format": null for one that glint is to refuse.
"""
import json
import sys

import transformers
from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast

ALTERNATE = ("{%% if (message['role'] == 'user') != (loop.index0 %% 2 == 0) %%}{{ raise_exception('%s') }}{%% endif %%}"
             % "Conversation roles must alternate user/assistant/user/assistant/...")
SPLIT = ("{% if messages[0]['role'] == 'system' %}{% set system_message = messages[0]['content'] %}{% set loop_messages = messages[1:] %}"
         "{% else %}{% set loop_messages = messages %}{% endif %}")
GEMMA = ("{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
         "{% for message in messages %}" + ALTERNATE +
         "{{ '<start_of_turn>' + ('model' if message['role'] == 'assistant' else message['role']) + '\n' + message['content'] | trim + '<end_of_turn>\n' }}"
         "{% endfor %}{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}")
GEMMA3 = ("{{ bos_token }}\n{%- set first_user_prefix = '' -%}\n{%- set loop_messages = messages -%}\n{%- if messages[0]['role'] == 'system' -%}\n"
          "    {%- set first_user_prefix = messages[0]['content'] + '\n\n' -%}\n    {%- set loop_messages = messages[1:] -%}\n{%- endif -%}\n"
          "{%- for message in loop_messages -%}\n    {{ '<start_of_turn>' + ('model' if message['role'] == 'assistant' else message['role']) + '\n'"
          " + (first_user_prefix if loop.first else '') }}\n    {%- if message['content'] is string -%}\n        {{ message['content'] | trim }}\n"
          "    {%- endif -%}\n    {{ '<end_of_turn>\n' }}\n{%- endfor -%}\n{%- if add_generation_prompt -%}\n    {{ '<start_of_turn>model\n' }}\n{%- endif -%}\n")
LLAMA2 = (SPLIT.replace("{% else %}", "{% else %}{% set system_message = false %}") + "{% for message in loop_messages %}" + ALTERNATE +
          "{% if loop.index0 == 0 and system_message != false %}{% set content = '<<SYS>>\\n' + system_message + '\\n<</SYS>>\\n\\n' + message['content'] %}"
          "{% else %}{% set content = message['content'] %}{% endif %}{% if message['role'] == 'user' %}{{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}"
          "{% else %}{{ ' ' + content.strip() + ' ' + eos_token }}{% endif %}{% endfor %}")
LLAMA3 = ("{% for message in messages %}{% set content = '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n' + message['content'] | trim + '<|eot_id|>' %}"
          "{% if loop.index0 == 0 %}{% set content = bos_token + content %}{% endif %}{{ content }}{% endfor %}"
          "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}")
LLAMA31 = ("{{- bos_token }}\n{%- if not date_string is defined %}\n    DATE\n{%- endif %}\n{%- set system_message = '' %}\n"
           "{%- if messages[0]['role'] == 'system' %}\n    {%- set system_message = messages[0]['content']|trim %}\n    {%- set messages = messages[1:] %}\n{%- endif %}\n"
           "{{- \"<|start_header_id|>system<|end_header_id|>\\n\\n\" }}\n{%- if tools is defined and tools is not none %}\n    {{- \"Environment: ipython\\n\" }}\n{%- endif %}\n"
           "{{- \"Cutting Knowledge Date: December 2023\\n\" }}\n{{- \"Today Date: \" + date_string + \"\\n\\n\" }}\n{{- system_message }}\n{{- \"<|eot_id|>\" }}\n"
           "{%- for message in messages %}\n    {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' + message['content'] | trim + '<|eot_id|>' }}\n{%- endfor %}\n"
           "{%- if add_generation_prompt %}\n    {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}\n{%- endif %}\n")
FIXED = "{%- set date_string = \"26 Jul 2024\" %}"
TODAY = "{%- if strftime_now is defined %}\n        {%- set date_string = strftime_now(\"%d %b %Y\") %}\n    {%- else %}\n        " + FIXED + "\n    {%- endif %}"
MISTRAL1 = ("{{ bos_token }}{% for message in messages %}" + ALTERNATE + "{% if message['role'] == 'user' %}{{ '[INST] ' + message['content'] + ' [/INST]' }}"
            "{% else %}{{ message['content'] + eos_token }}{% endif %}{% endfor %}")
MISTRAL1S = (SPLIT + "{{- bos_token }}{% for message in loop_messages %}{% if message['role'] == 'user' %}{% if loop.first and system_message is defined %}"
             "{{- ' [INST] ' + system_message + '\\n\\n' + message['content'] + ' [/INST]' }}{% else %}{{- ' [INST] ' + message['content'] + ' [/INST]' }}{% endif %}"
             "{% else %}{{- ' ' + message['content'] + eos_token }}{% endif %}{% endfor %}")
MISTRAL3 = (SPLIT + "{{- bos_token }}{% for message in loop_messages %}{% if message[\"role\"] == \"user\" %}{% if loop.last and system_message is defined %}"
            "{{- \"[INST] \" + system_message + \"\\n\\n\" + message[\"content\"] + \"[/INST]\" }}{% else %}{{- \"[INST] \" + message[\"content\"] + \"[/INST]\" }}{% endif %}"
            "{% else %}{{- \" \" + message[\"content\"]|trim + eos_token }}{% endif %}{% endfor %}")
MISTRAL7 = ("{{ bos_token }}{% for message in messages %}{% if message['role'] == 'user' %}{{ '[INST] ' + message['content'] + '[/INST]' }}"
            "{% elif message['role'] == 'system' %}{{ '[SYSTEM_PROMPT] ' + message['content'] + '[/SYSTEM_PROMPT]' }}{% else %}{{ ' ' + message['content'] + eos_token }}{% endif %}{% endfor %}")
TURN = "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}"
PROMPT = "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
CHATML = "{% for message in messages %}" + TURN + "{% endfor %}" + PROMPT
DEFAULT = "{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\\nWHO<|im_end|>\\n' }}{% endif %}"
QWEN2 = "{% for message in messages %}" + DEFAULT.replace("WHO", "You are a helpful assistant.") + TURN + "{% endfor %}" + PROMPT
SMOLLM2 = QWEN2.replace("You are a helpful assistant.", "You are a helpful AI assistant named SmolLM, trained by Hugging Face")
QWEN25 = ("{%- if messages[0]['role'] == 'system' %}\n    {{- '<|im_start|>system\\n' + messages[0]['content'] + '<|im_end|>\\n' }}\n{%- else %}\n"
          "    {{- '<|im_start|>system\\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant.<|im_end|>\\n' }}\n{%- endif %}\n"
          "{%- for message in messages %}\n    {%- if message.role != 'system' %}\n        " + TURN.replace("{{ ", "{{- ") + "\n    {%- endif %}\n{%- endfor %}\n"
          "{%- if add_generation_prompt %}\n    {{- '<|im_start|>assistant\\n' }}\n{%- endif %}\n")
QWEN3 = ("{%- for message in messages %}\n    {%- if message.role == 'assistant' %}\n        {%- set content = message.content.split('</think>')[-1].lstrip('\\n') %}\n"
         "    {%- else %}\n        {%- set content = message.content %}\n    {%- endif %}\n    {{- '<|im_start|>' + message.role + '\\n' + content + '<|im_end|>' + '\\n' }}\n{%- endfor %}\n"
         "{%- if add_generation_prompt %}\n    {{- '<|im_start|>assistant\\n' }}\n    {%- if enable_thinking is defined and enable_thinking is false %}\n"
         "        {{- '<think>\\n\\n</think>\\n\\n' }}\n    {%- endif %}\n{%- endif %}\n")
THINKING = CHATML.replace("assistant\\n", "assistant\\n<think>\\n")
ZEPHYR = ("{% for message in messages %}\n{% if message['role'] == 'user' %}\n{{ '<|user|>\n' + message['content'] + eos_token }}\n{% elif message['role'] == 'system' %}\n"
          "{{ '<|system|>\n' + message['content'] + eos_token }}\n{% else %}\n{{ '<|assistant|>\n' + message['content'] + eos_token }}\n{% endif %}\n"
          "{% if loop.last and add_generation_prompt %}\n{{ '<|assistant|>' }}\n{% endif %}\n{% endfor %}\n")
# name, template, BOS, EOS; None as name: glint has to refuse the template
TEMPLATES = [
    ("gemma", GEMMA, "<bos>", "<eos>"), ("gemma3", GEMMA3, "<bos>", "<eos>"), ("gemma", GEMMA.replace("{{ bos_token }}", "", 1), "<bos>", "<eos>"),
    ("llama2", LLAMA2, "<s>", "</s>"), ("llama3", LLAMA3, "<|begin_of_text|>", "<|eot_id|>"),
    ("llama3.1", LLAMA31.replace("DATE", FIXED), "<|begin_of_text|>", "<|eot_id|>"), ("llama3.2", LLAMA31.replace("DATE", TODAY), "<|begin_of_text|>", "<|eot_id|>"),
    ("mistral-v1", MISTRAL1, "<s>", "</s>"), ("mistral-v1-system", MISTRAL1S, "<s>", "</s>"), ("mistral-v3", MISTRAL3, "<s>", "</s>"),
    ("mistral-v3-tekken", MISTRAL3.replace("[INST] ", "[INST]"), "<s>", "</s>"), ("mistral-v7", MISTRAL7, "<s>", "</s>"),
    ("chatml", CHATML, None, "<|im_end|>"), ("qwen2", QWEN2, None, "<|im_end|>"), ("qwen2.5", QWEN25, None, "<|im_end|>"), ("qwen3", QWEN3, None, "<|im_end|>"),
    ("qwen3-thinking", THINKING, None, "<|im_end|>"), ("smollm2", SMOLLM2, "<|im_start|>", "<|im_end|>"), ("zephyr", ZEPHYR, "<s>", "</s>"),
    ("chatml", QWEN2.replace("You are a helpful assistant.", "It\\'s me,\\nMario."), None, "<|im_end|>"), ("chatml", "{{ bos_token }}" + CHATML, "<s>", "<|im_end|>"),
    (None, CHATML.replace("message['content']", "message['content'] | trim"), None, "<|im_end|>"), (None, LLAMA3.replace(" | trim", ""), "<s>", "</s>"),
    (None, LLAMA2.replace("system_message = false", "system_message = 'Answer in verse.'"), "<s>", "</s>"), (None, CHATML.replace("im_start", "turn"), None, "</s>"),
    (None, MISTRAL3.replace("[INST]", "[ASK]"), "<s>", "</s>"), (None, "{{ messages[-1]['content'] }}", None, None),
]
SYSTEMS = [None, "Be brief.", "  Two\nlines \n"]
TEXTS = ["Hi", "  What is\n a\u00e9ro\u2019s \u65e5\u672c?\u3000\n", "x<end>\ty "]
DATE = "26 Jul 2024"


def render(template, bos, eos, system, text, **options):
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.BPE()), bos_token=bos, eos_token=eos)
    messages = [{"role": "system", "content": system}] * (system is not None) + [{"role": "user", "content": text}]
    try:
        return tokenizer.apply_chat_template(messages, chat_template=template, tokenize=False, add_generation_prompt=True, **options)
    except Exception as problem:  # jinja2's TemplateError: the template refuses
        assert "System role" in str(problem) or "must alternate" in str(problem), problem
        return None


def main():
    groups = []
    for name, template, bos, eos in TEMPLATES:
        group = {"format": name, "template": template, "bos": bos, "eos": eos, "cases": []}
        for system in SYSTEMS:
            for text in TEXTS:
                options = {"date_string": DATE} if name == "llama3.2" else {}
                case = {"system": system, "text": text, "date": options.get("date_string"), "thinking": True,
                        "rendered": render(template, bos, eos, system, text, **options)}
                group["cases"] += [case] if name else []
                if name == "qwen3":
                    group["cases"].append(dict(case, thinking=False, rendered=render(template, bos, eos, system, text, enable_thinking=False)))
        groups.append(group)
    json.dump({"transformers": transformers.__version__, "groups": groups}, sys.stdout, ensure_ascii=True, indent=0)
    print()


if __name__ == "__main__":
    main()
