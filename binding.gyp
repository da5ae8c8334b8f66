{
	'targets': [
		{
			'target_name': 'node_exllama',
			'type': 'none',
			'actions': [
				{
					'action_name': 'cmake',
					'inputs': ['CMakeLists.txt'],
					'outputs': ['<(PRODUCT_DIR)/node-exllama.node'],
					'action': ['node', 'scripts/gyp-action.cjs'],
				},
			],
		},
	],
}
